/**
 * DATABASE_URL, QUEUE_URL, FILES_URL and CLAMD_URL: where rows, work and files are, and who scans the files.
 * What is wrong is added to `problems`, and the reading goes on: the caller ends the start with all of it.
 */
import { join, resolve } from 'node:path';
import { bareHost, isPercentEncoded, parseUrl } from '../platform/url.js';

export type DatabaseSettings = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string };

export type QueueSettings = { kind: 'embedded' } | { kind: 'redis' | 'postgres'; url: string };

/** Where the files of replies are kept. */
export type FilesSettings =
  | { kind: 'folder'; path: string }
  | {
      kind: 'bucket';
      /** Origin of a server that speaks S3. */
      endpoint: string;
      bucket: string;
      region: string;
      accessKeyId: string;
      secretAccessKey: string;
    };

/** The virus scanner: clamd, over the network or by its socket. */
export type ClamdSettings = { host: string; port: number } | { path: string };

export function readDatabase(url: string | undefined, dataDir: string): DatabaseSettings {
  if (url === undefined) return { kind: 'sqlite', path: join(dataDir, 'postern.sqlite') };
  return url.startsWith('sqlite:')
    ? { kind: 'sqlite', path: resolve(url.slice('sqlite:'.length)) }
    : { kind: 'postgres', url };
}

export function readQueue(url: string): QueueSettings {
  if (url === 'embedded') return { kind: 'embedded' };
  return { kind: url.startsWith('redis') ? 'redis' : 'postgres', url };
}

export function readFiles(value: string | undefined, dataDir: string, problems: string[]): FilesSettings {
  const folder = { kind: 'folder' as const, path: join(dataDir, 'files') };
  if (value === undefined) return folder;
  const path = /^file:(?:\/\/(?=\/))?(.+)$/.exec(value)?.[1];
  if (path !== undefined && !path.startsWith('//')) return { ...folder, path: resolve(path) };
  const url = parseUrl(value);
  const bucket = url && readBucket(url);
  if (bucket === null)
    problems.push(
      'FILES_URL must be file:PATH or s3://KEY:SECRET@host:port/bucket?region=…, the secret percent-encoded (it is not)',
    );
  return bucket ?? folder;
}

function readBucket(url: URL): FilesSettings | null {
  const { protocol, username, password, host, pathname, searchParams, hash } = url;
  const bucket = /^\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/?$/.exec(pathname)?.[1];
  const isKnown = [...searchParams.keys()].every((name) => name === 'region' || name === 'insecure');
  if (protocol !== 's3:' || host === '' || username === '' || password === '' || hash !== '' || !isKnown) return null;
  if (bucket === undefined || !isPercentEncoded(username + password)) return null;
  return {
    kind: 'bucket',
    endpoint: `${searchParams.has('insecure') ? 'http' : 'https'}://${host}`,
    bucket,
    region: searchParams.get('region') || 'us-east-1',
    accessKeyId: decodeURIComponent(username),
    secretAccessKey: decodeURIComponent(password),
  };
}

export function readClamd(value: string | undefined, problems: string[]): ClamdSettings | null {
  if (value === undefined) return null;
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(value)?.[1];
  if (path !== undefined) return { path };
  const url = parseUrl(value);
  if (url?.protocol === 'tcp:' && url.hostname !== '' && url.username + url.password + url.search + url.hash === '')
    return { host: bareHost(url.hostname), port: Number(url.port) || 3310 };
  problems.push('CLAMD_URL must be tcp://host:3310 or unix:/path/to/clamd.sock (it is not)');
  return null;
}
