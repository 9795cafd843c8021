import type { FilesSettings } from '../../settings/storage.js';
import type { Blobs } from './blobs.js';
import { BucketBlobs } from './bucket-blobs.js';
import { FolderBlobs } from './folder-blobs.js';

/** The folder or bucket of FILES_URL. */
export function openBlobs(files: FilesSettings): Blobs {
  return files.kind === 'folder' ? new FolderBlobs(files.path) : new BucketBlobs(files);
}
