import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import S3rver from 's3rver';
import { loadConfig } from '../../src/config.js';
import { BucketBlobs } from '../../src/platform/files/bucket-blobs.js';
import { FolderBlobs } from '../../src/platform/files/folder-blobs.js';
import type { Blobs } from '../../src/platform/files/blobs.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { FileSweep } from '../../src/tickets/file-sweep.js';
import { png } from '../support/files.js';
import { createGateway } from '../support/gateway.js';
import { startScriptedHttp } from '../support/scripted-http.js';
import { someDatabase } from '../support/some-database.js';
import { change, rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

const MB = 1024 * 1024;
const DAY_MS = 86_400_000;

interface Place {
  url: string;
  blobs: Blobs;
  close(): Promise<void>;
}

const places: { name: string; open(folder: string): Promise<Place> }[] = [
  {
    name: 'a folder',
    open: async (folder) => ({
      url: `file:${join(folder, 'kept')}`,
      blobs: new FolderBlobs(join(folder, 'kept')),
      close: async () => {},
    }),
  },
  {
    name: 'a bucket',
    open: async (folder) => {
      // A real server that checks every signature; its one pair of keys is S3RVER/S3RVER.
      const server = new S3rver({
        port: 0,
        address: '127.0.0.1',
        silent: true,
        directory: join(folder, 's3'),
        configureBuckets: [{ name: 'replies', configs: [] }],
      });
      const { port } = (await server.run()) as AddressInfo;
      const url = `s3://S3RVER:S3RVER@127.0.0.1:${port}/replies?region=eu-central-1&insecure`;
      const { files } = loadConfig({ NODE_ENV: 'test', DATA_DIR: folder, FILES_URL: url });
      if (files.kind !== 'bucket') throw new Error('not a bucket');
      return { url, blobs: new BucketBlobs(files), close: () => server.close() };
    },
  },
];

describe.each(places)('files in $name', ({ open }) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-blobs-'));
  let place: Place;
  beforeAll(async () => {
    place = await open(folder);
  });
  afterAll(async () => {
    await place.close();
    rmSync(folder, { recursive: true });
  });

  const newName = () => randomBytes(24).toString('hex');
  const keep = async (content: Buffer, name = newName()) => {
    const path = join(folder, randomBytes(8).toString('hex'));
    writeFileSync(path, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await place.blobs.keep(name, path, { size: content.length, sha256 });
    expect(existsSync(path)).toBe(false);
    return name;
  };
  const listed = async (before: number) => {
    const names: string[] = [];
    for await (const name of place.blobs.list(before)) names.push(name);
    return names;
  };

  it('come back byte for byte, small, empty and large, also many at once', async () => {
    const contents = [Buffer.alloc(0), Buffer.from('a'), randomBytes(100_000), randomBytes(10 * MB)];
    const names = await Promise.all(contents.map((content) => keep(content)));
    for (const [n, name] of names.entries())
      expect((await buffer((await place.blobs.read(name))!)).equals(contents[n]!)).toBe(true);
    const many = await Promise.all(Array.from({ length: 40 }, (_, n) => keep(Buffer.from(String(n)))));
    const back = await Promise.all(many.map(async (name) => String(await buffer((await place.blobs.read(name))!))));
    expect(back).toEqual(many.map((_, n) => String(n)));
  });

  it('are gone once removed, and removing or reading what is not there is no error', async () => {
    const name = await keep(Buffer.from('x'));
    await place.blobs.remove(name);
    await place.blobs.remove(name);
    expect(await place.blobs.read(name)).toBeNull();
    expect(await place.blobs.read(newName())).toBeNull();
  });

  it('may be kept twice under one name, and a reader who went away disturbs nobody', async () => {
    const name = await keep(Buffer.from('the same'));
    await keep(Buffer.from('the same'), name);
    const left = (await place.blobs.read(name))!;
    left.destroy();
    expect(String(await buffer((await place.blobs.read(name))!))).toBe('the same');
  });

  it('are listed by when they came', async () => {
    const name = await keep(Buffer.from('listed'));
    expect(await listed(Date.now() + 5000)).toContain(name);
    expect(await listed(Date.now() - 60_000)).not.toContain(name);
  });

  it('have names of our making only', async () => {
    for (const name of ['', '../../etc/passwd', 'a', `${newName()}/..`, newName().toUpperCase(), `${newName()}x`]) {
      await expect(place.blobs.read(name)).rejects.toThrow('not a name');
      await expect(place.blobs.remove(name)).rejects.toThrow('not a name');
    }
  });

  it.each(someDatabase)(
    'of replies and their previews are served from there; what belongs to no reply goes after a day ($name)',
    async (database) => {
      const settings = {
        OUTBOUND_URL: 'http://127.0.0.1:9/',
        OUTBOUND_SECRET: generateWebhookSecret(),
        FILES_URL: place.url,
      };
      const test = await createGateway({ database, settings });
      try {
        const { guest, page, ticketId } = await visit(test);
        await guest.submit(page, '/replies', { body: 'x' }, { files: [{ name: 'a.png', content: png() }] });
        const [row] = await rows(test, 'attachments');
        const path = `/tickets/${ticketId}/attachments/${String(row!.id)}`;
        expect((await guest.get(path)).status).toBe(200);
        expect((await guest.get(`${path}/preview`)).status).toBe(200);
        const orphan = await keep(Buffer.from('a process died'));
        const incoming = join(test.gateway.config.dataDir, 'incoming');
        mkdirSync(incoming, { recursive: true });
        for (const [name, age] of [
          ['old', 2 * DAY_MS],
          ['new', 0],
        ] as const) {
          writeFileSync(join(incoming, name), 'x');
          const at = new Date(test.clock.now() + 60 * DAY_MS - age);
          utimesSync(join(incoming, name), at, at);
        }
        const sweep = test.gateway.app.get(FileSweep);
        // The store has its own clock, the machine's: ours is taken before it and after it.
        test.clock.advance({ seconds: Math.round((Date.now() - test.clock.now()) / 1000) });
        await sweep.sweep();
        expect(await place.blobs.read(orphan).then((one) => one?.resume() !== undefined)).toBe(true);
        test.clock.advance({ days: 2 });
        const removed = await Promise.all([sweep.sweep(), sweep.sweep()]);
        expect(Math.max(...removed)).toBeGreaterThan(0);
        expect(await place.blobs.read(orphan)).toBeNull();
        const kept = await place.blobs.read(String(row!.file));
        expect(String(await buffer(kept!)).length).toBeGreaterThan(0);
        expect((await place.blobs.read(`${String(row!.file)}preview`))?.resume()).toBeTruthy();
        // A database that knows none of many files is the wrong one.
        await change(test, `DELETE FROM attachments`);
        for (let n = 0; n < 60; n++) await keep(Buffer.from(`${n}`));
        test.clock.advance({ days: 2 });
        expect(await sweep.sweep()).toBe(0);
        expect(test.logs.join('\n')).toContain('is this the right database?');
        for (const name of await listed(Date.now() + 5000)) await place.blobs.remove(name);
      } finally {
        await test.close();
      }
    },
  );
});

describe('a bucket', () => {
  it('that refuses, breaks off or answers with something else keeps nothing, and its errors hold no key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-blobs-'));
    const server = await startScriptedHttp(
      (response) => void response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>'),
    );
    const blobs = new BucketBlobs({
      endpoint: server.origin,
      bucket: 'replies',
      region: 'r',
      accessKeyId: 'KEYID',
      secretAccessKey: 'SECRETKEY',
    });
    const name = randomBytes(24).toString('hex');
    const keep = async () => {
      writeFileSync(join(folder, 'one'), 'x');
      await blobs.keep(name, join(folder, 'one'), { size: 1, sha256: '0'.repeat(64) });
    };
    try {
      for (const otherwise of [
        server.otherwise,
        (response) => void response.socket?.resetAndDestroy(),
        (response) => void response.writeHead(302, { location: 'http://evil.example/' }).end(),
      ] as (typeof server.otherwise)[]) {
        server.otherwise = otherwise;
        const errors = await Promise.all(
          [keep(), blobs.read(name), blobs.remove(name)].map((one) =>
            one.then(
              () => 'done',
              (error: Error) => error.message,
            ),
          ),
        );
        expect(errors).not.toContain('done');
        expect(errors.join()).not.toMatch(/KEYID|SECRETKEY|127\.0\.0\.1/);
      }
      expect(JSON.stringify(server.requests)).not.toContain('SECRETKEY');
    } finally {
      await server.close();
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    [
      's3://KEY:SEC%2FRET@s3.example:9000/replies?region=eu-central-1&insecure',
      { endpoint: 'http://s3.example:9000', secretAccessKey: 'SEC/RET', region: 'eu-central-1' },
    ],
    [
      's3://KEY:SECRET@s3.eu-central-1.amazonaws.com/replies',
      { endpoint: 'https://s3.eu-central-1.amazonaws.com', region: 'us-east-1', bucket: 'replies' },
    ],
  ])('is named by %s', (url, wanted) => {
    expect(loadConfig({ NODE_ENV: 'test', DATA_DIR: tmpdir(), FILES_URL: url }).files).toMatchObject({
      kind: 'bucket',
      accessKeyId: 'KEY',
      ...wanted,
    });
  });

  it.each([
    's3://s3.example/replies',
    's3://KEY@s3.example/replies',
    's3://K:S@s3.example/',
    's3://K:S@s3.example/a/b',
    's3://K:S@s3.example/Upper',
    's3://K:S@s3.example/ab?x=1',
    'http://s3.example/ab',
    'file:',
    'file://host/x',
  ])('is not named by %s, and the start says so without the secret', (url) => {
    const start = () => loadConfig({ NODE_ENV: 'test', DATA_DIR: tmpdir(), FILES_URL: url, CLAMD_URL: 'http://x' });
    expect(start).toThrow(/FILES_URL must be[^]*CLAMD_URL must be/);
    expect(start).not.toThrow(/K:S@/);
  });
});
