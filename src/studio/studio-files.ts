import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { packageRoot } from '../config.js';
import { takesCoding } from '../platform/content-coding.js';

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface StudioFile {
  type: string;
  /** `br`, `gzip`, or as it is. */
  encoding?: 'br' | 'gzip';
  content: Buffer;
}

/** What the build made of `studio/`: the page, and files whose names change with what is in them. Read once. */
export class StudioFiles {
  private readonly files = new Map<string, Buffer>();
  private readonly html: [beforeNonce: string, afterNonce: string];

  /** @throws Error if the studio was not built */
  constructor(folder = join(packageRoot, 'dist', 'studio')) {
    if (!existsSync(join(folder, 'index.html'))) throw new Error('The studio is not built: run "npm run build".');
    const [before = '', after = ''] = readFileSync(join(folder, 'index.html'), 'utf8').split('{{nonce}}');
    this.html = [before, after];
    for (const name of readdirSync(join(folder, 'assets')))
      this.files.set(name, readFileSync(join(folder, 'assets', name)));
  }

  /** @param nonce by which the policy of this very answer allows the editor's style sheets */
  page(nonce: string): string {
    return this.html.join(nonce);
  }

  /** @param accepted the request's `accept-encoding` */
  file(name: string, accepted: string): StudioFile | null {
    const [plain, type] = [this.files.get(name), TYPES[extname(name)]];
    if (!plain || !type) return null;
    for (const [encoding, extension] of [
      ['br', 'br'],
      ['gzip', 'gz'],
    ] as const) {
      const content = this.files.get(`${name}.${extension}`);
      if (content && takesCoding(accepted, encoding)) return { type, encoding, content };
    }
    return { type, content: plain };
  }
}

/** What the pages of the studio are called; the browser draws them, so an unknown one has to be told apart here. */
const PAGES =
  /^\/studio(?:\/(?:(?:words|history)\/[\w-]+\/[\w-]+|matrix\/[\w-]+|reviews|people|account|brands|audit|sent|sign-in|first|invitation))?\/?$/;

export function isStudioPage(path: string): boolean {
  return PAGES.test(path);
}
