import sharp from 'sharp';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { gif, jpeg, pdf } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { send } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { change, rows } from '../support/tables.js';
import { visit, type Visit } from '../support/visit.js';

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#c04020' } });

describe.each(someDatabase)('previews on $name', (database) => {
  let test: TestGateway;
  let me: Visit;
  beforeAll(async () => {
    // Nobody has to listen there: the reply only has to be taken.
    const settings = { OUTBOUND_URL: 'http://127.0.0.1:9/', OUTBOUND_SECRET: generateWebhookSecret() };
    test = await createGateway({ database, settings });
    me = await visit(test);
  });
  afterAll(() => test.close());

  const cookie = () => [...me.guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const get = (path: string) => send(test.url, { path, headers: { cookie: cookie() } });
  const upload = async (name: string, content: Buffer) => {
    const page = await me.guest.submit(
      await me.guest.get(`/tickets/${me.ticketId}`),
      '/replies',
      { body: name },
      { files: [{ name, content }] },
    );
    expect([name, page.status]).toEqual([name, 200]);
    const [row] = (await rows(test, 'attachments')).slice(-1);
    const path = `/tickets/${me.ticketId}/attachments/${String(row!.id)}/preview`;
    return { page, row: row!, path, tag: new RegExp(`<img src="${path}"[^>]*>`).exec(page.html)?.[0] ?? null };
  };

  it('are WebP of at most 640 px, without EXIF, GPS and comments, and say their size and name on the page', async () => {
    const withGps = await picture(1600, 900)
      .withExif({
        IFD0: { Artist: 'Siti Secret', Make: 'Phone' },
        IFD3: { GPSLatitudeRef: 'S', GPSLatitude: '6/1 10/1 0/1' },
      })
      .jpeg()
      .toBuffer();
    expect(withGps.includes('Siti Secret')).toBe(true);
    const { path, tag } = await upload('Bukti "transfer".jpg', withGps);
    expect(tag).toContain('width="640" height="360"');
    expect(tag).toContain('loading="lazy"');
    expect(tag).toMatch(/alt="[^"]*Bukti [^"]*transfer/);
    const { status, headers, body } = await get(path);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'image/webp',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'cache-control': 'no-store',
    });
    const facts = await sharp(body).metadata();
    expect([facts.format, facts.width, facts.height, facts.exif, facts.xmp, facts.iptc]).toEqual([
      'webp',
      640,
      360,
      undefined,
      undefined,
      undefined,
    ]);
    expect(body.includes('Siti')).toBe(false);
    // Once made it is kept, and is the same.
    expect((await get(path)).body).toEqual(body);
  });

  it('stand upright, whatever way the phone was held, and small pictures stay small', async () => {
    const { path, tag } = await upload(
      'side.jpg',
      await picture(300, 100).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    );
    expect(tag).toContain('width="100" height="300"');
    const { width, height, orientation } = await sharp((await get(path)).body).metadata();
    expect([width, height, orientation ?? 1]).toEqual([100, 300, 1]);
  });

  it('show the first frame of what moves, and keep what is transparent so', async () => {
    const frames = await Promise.all(
      ['#ff0000', '#0000ff'].map((background) =>
        sharp({ create: { width: 20, height: 20, channels: 4, background } })
          .png()
          .toBuffer(),
      ),
    );
    const moving = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await sharp(moving, { animated: true }).metadata()).pages).toBe(2);
    const { path } = await upload('moving.gif', moving);
    const { body } = await get(path);
    expect((await sharp(body, { animated: true }).metadata()).pages ?? 1).toBe(1);
    const { dominant } = await sharp(body).stats();
    expect([dominant.r > 200, dominant.b < 60]).toEqual([true, true]);
  });

  it('are refused for what is no picture, was never one, is gone or is somebody else’s', async () => {
    const { path: ofPdf, tag } = await upload('a.pdf', pdf());
    expect(tag).toBeNull();
    // Headers that promise a picture, and nothing behind them.
    const { path: ofBroken } = await upload('broken.jpg', jpeg(300, 300));
    const { path: ofGif } = await upload('lie.gif', gif(6000, 6000));
    for (const path of [ofPdf, ofBroken, ofGif]) expect([path, (await get(path)).status]).not.toEqual([path, 500]);
    expect([(await get(ofPdf)).status, (await get(ofBroken)).status]).toEqual([404, 404]);
    const { path, row } = await upload('mine.png', await picture(10, 10).png().toBuffer());
    expect((await get(path)).status).toBe(200);
    const other = await visit(test, { email: 'budi@example.com' });
    const foreign = path.replace(me.ticketId, other.ticketId);
    for (const [guest, asked] of [
      [new Guest(test.url), path],
      [other.guest, path],
      [other.guest, foreign],
    ] as const)
      expect((await guest.get(asked)).status).toBe(404);
    await change(test, `UPDATE attachments SET file = '${'0'.repeat(48)}' WHERE id = '${String(row.id)}'`);
    expect((await get(path)).status).toBe(404);
  });

  it('of one picture asked for twenty times at once are one picture, and others are still served', async () => {
    const { path } = await upload('much.png', await picture(3000, 2000).png().toBuffer());
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(path)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.toString('base64'))).size).toBe(1);
  });

  it('are gone with their file', async () => {
    const { path, row } = await upload('gone.png', await picture(10, 10).png().toBuffer());
    expect((await get(path)).status).toBe(200);
    const ticket = (await rows(test, 'tickets', `id = '${me.ticketId}'`))[0]!;
    await test.source.send('ticket.deleted', {
      ticket: { id: String(ticket.source_ticket_id), number: String(ticket.number) },
    });
    expect(await rows(test, 'attachments', `id = '${String(row.id)}'`)).toEqual([]);
    const { FileStore } = await import('../../src/tickets/file-store.js');
    const store = test.gateway.app.get(FileStore);
    expect([await store.read(String(row.file)), await store.readPreview(String(row.file))]).toEqual([null, null]);
  });
});
