import sharp from 'sharp';
import { Brands } from '../../src/templates/brands.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { linkOf } from '../support/mail.js';
import { someDatabase } from '../support/some-database.js';
import { enrol, firstAdmin, secondGateway, type Answer, type StudioBrowser } from '../support/studio.js';
import { change, count } from '../support/tables.js';

const PATH = '/studio/api/brands/default';

/** What the studio showed of a brand, as it is sent back. */
function settingsOf({ body }: Answer): Record<string, unknown> {
  const { name, light, dark, radius, sender, footer, contact, version } = body;
  return { name, light, dark, radius, sender, footer, contact, version };
}

describe.each(someDatabase)('brands in the studio on $name', (database) => {
  let test: TestGateway;
  let admin: StudioBrowser;
  beforeEach(async () => {
    test = await createGateway({ database });
    admin = await firstAdmin(test);
  });
  afterEach(() => test.close());

  const shown = async (): Promise<Answer> => {
    const answer = await admin.get('/studio/api/brands');
    return { ...answer, body: answer.body.find(({ key }: { key: string }) => key === 'default') };
  };
  const edit = async (changes: object): Promise<Answer> =>
    admin.request('PUT', PATH, { ...settingsOf(await shown()), ...changes });
  const mailAndPage = async (number: string) => {
    const email = `guest-${number}@example.com`;
    await test.source.send('ticket.replied', { ticket: { id: number, number }, requester: { email } });
    await test.drain();
    const mail = test.inbox.messages.findLast(({ to }) => to.includes(email))!;
    const guest = new Guest(test.url);
    return { mail, guest, page: await guest.get(linkOf(mail)) };
  };
  const picture = (width = 400, height = 100) =>
    sharp({ create: { width, height, channels: 4, background: '#1f6f5c' } });
  const upload = async (content: Buffer, version: number, name = 'logo.png'): Promise<Answer> => {
    const form = new FormData();
    form.append('version', String(version));
    form.append('file', new Blob([new Uint8Array(content)]), name);
    return admin.request('PUT', `${PATH}/logo`, form);
  };

  it('look in the next mail and page as they were edited, in every process at the same moment', async () => {
    const second = await secondGateway(test);
    const before = await mailAndPage('7001');
    const palette = (await shown()).body.light;
    const edited = await edit({
      name: 'Acme Help',
      light: { ...palette, accent: '#6b2fb3' },
      sender: 'Acme Help <help@support.example>',
      footer: 'Acme Ltd, London',
    });
    expect(edited.status).toBe(200);
    expect(edited.body).toMatchObject({
      name: 'Acme Help',
      version: 1,
      history: [{ version: 1, by: { name: 'Ada' } }],
    });
    const elsewhere = second.app.get(Brands);
    await elsewhere.refresh();
    test.clock.advance({ seconds: 5 });
    expect(elsewhere.get('default').name).not.toBe('Acme Help');
    expect(test.gateway.app.get(Brands).get('default').name).not.toBe('Acme Help');
    test.clock.advance({ seconds: 5 });
    expect(elsewhere.get('default').name).toBe('Acme Help');
    await second.close();

    const after = await mailAndPage('7002');
    expect(after.mail.headers.from).toBe('Acme Help <help@support.example>');
    expect(after.mail.html).toContain('#6b2fb3');
    expect(after.mail.text.trimEnd()).toMatch(/Acme Ltd, London$/);
    expect(after.page.html).toContain('Acme Help');
    expect(`${before.mail.raw}${before.page.html}`).not.toContain('Acme');
    await test.restart();
    expect((await mailAndPage('7003')).mail.html).toContain('Acme Help');
  });

  it('are what they were for a mail that is tried again', async () => {
    const brands = test.gateway.app.get(Brands);
    const before = test.clock.now();
    await edit({ name: 'Acme Help' });
    test.clock.advance({ minutes: 1 });
    const between = test.clock.now();
    await edit({ name: 'Acme Care' });
    test.clock.advance({ minutes: 1 });
    const times = [before, between, test.clock.now()];
    const names = () => Promise.all(times.map(async (time) => (await brands.at('default', time)).name));
    const expected = [brands.shippedBrand('default').name, 'Acme Help', 'Acme Care'];
    expect(await names()).toEqual(expected);
    expect(brands.get('default')).toBe(brands.get('default'));
    // After more editions than are kept at hand.
    const settings = settingsOf(await shown());
    for (let version = 2; version < 23; version++) {
      await admin.request('PUT', PATH, { ...settings, version, name: `Acme ${version}` });
      await change(test, 'DELETE FROM limits');
    }
    // Twenty wait for their moment: what is used now is used.
    expect(brands.get('default').name).toBe('Acme Care');
    test.clock.advance({ minutes: 1 });
    expect(brands.get('default').name).toBe('Acme 22');
    await edit({ name: 'Acme once more' });
    expect(await names()).toEqual(expected);
  });

  it('are refused where nobody could read them, with the pair, its ratio and a colour that would do', async () => {
    const { light } = (await shown()).body;
    const { status, body } = await edit({ light: { ...light, accent: '#f5d90a' } });
    expect([status, body.code]).toEqual([422, 'brand-refused']);
    const problem = body.problems.find(({ on }: { on: string }) => on === 'light.surface');
    expect(problem).toMatchObject({ place: 'light.accent', needed: 4.5 });
    expect(problem.ratio).toBeLessThan(4.5);
    expect((await edit({ light: { ...light, accent: problem.suggestion, onAccent: '#ffffff' } })).status).toBe(200);
  });

  it.each([
    ['a colour that is none', { radius: 8, light: { accent: 'red; } body { display: none' } }, 'light.accent'],
    ['an unknown setting', { script: 'alert(1)' }, ''],
    ['a sender of a domain that is not the operator’s', { sender: 'Bank <ceo@bank.example>' }, 'sender'],
    ['a contact that runs', { contact: 'javascript:alert(1)' }, 'contact'],
    ['two senders', { sender: 'a@support.example, b@support.example' }, 'sender'],
    ['no name', { name: ' ' }, 'name'],
    ['a name that turns what follows', { name: 'Acme \u202eknaB' }, 'name'],
  ])('are refused with %s', async (_, changes, place) => {
    const { status, body } = await edit(changes);
    expect(status).toBe(422);
    expect(body.problems.map((one: { place: string }) => one.place)).toContain(place);
    expect(await count(test, 'brand_editions')).toBe(0);
  });

  it('go back to no sender that is not the operator’s any more', async () => {
    await edit({ sender: 'Acme <help@support.example>' });
    await edit({ sender: undefined });
    await test.restart({ MAIL_FROM: 'Postern <no-reply@elsewhere.example>' });
    const { status, body } = await admin.post(`${PATH}/rollback`, { to: 1, version: 2 });
    expect([status, body.code, body.problems?.[0].place]).toEqual([422, 'brand-refused', 'sender']);
  });

  it('are each for those of their own role: another one’s look is not shown, nor its sender taken', async () => {
    const sender = 'Help <help@support.example>';
    await edit({ sender });
    const sampler = await enrol(test, admin, { email: 'sam@content.example', role: 'publisher', brand: 'sample' });
    const own = (await sampler.get('/studio/api/brands')).body;
    expect(own.map(({ key }: { key: string }) => key)).toEqual(['sample']);
    const body = { ...settingsOf({ body: own[0] } as Answer), sender };
    const taken = await sampler.request('PUT', '/studio/api/brands/sample', body);
    expect([taken.status, taken.body.problems?.[0].place]).toEqual([422, 'sender']);
    expect((await admin.request('PUT', '/studio/api/brands/sample', body)).status).toBe(200);
    const preview = (brand: string) =>
      sampler.post('/studio/api/preview', { key: 'ticket-replied', locale: 'en', brand });
    expect((await preview('default')).status).toBe(403);
    expect((await preview('sample')).status).not.toBe(403);
  });

  it('keep every edit: of twenty at once one is taken, and the others are shown what is there', async () => {
    const settings = settingsOf(await shown());
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => admin.request('PUT', PATH, { ...settings, name: `Acme ${i}` })),
    );
    const taken = answers.filter(({ status }) => status === 200);
    expect(taken).toHaveLength(1);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(19);
    expect(refused[0]!.body.problems[0]).toMatchObject({ version: 1, name: taken[0]!.body.name });
    expect(await count(test, 'audit_log', "action = 'brand.edited'")).toBe(1);
  });

  it('go back to a former edition, and to what is shipped', async () => {
    const shipped = (await shown()).body.name as string;
    await edit({ name: 'Acme Help' });
    await upload(await picture().png().toBuffer(), 1);
    await edit({ name: 'Acme Care' });
    const back = (to: number, version: number) => admin.post(`${PATH}/rollback`, { to, version });
    expect((await back(1, 3)).body).toMatchObject({ name: 'Acme Help', version: 4, logo: null });
    expect((await back(2, 4)).body).toMatchObject({ name: 'Acme Help', version: 5, logo: { width: 200, height: 50 } });
    expect((await back(0, 5)).body).toMatchObject({ name: shipped, version: 6, logo: null });
    expect((await back(99, 6)).status).toBe(404);
    test.clock.advance({ seconds: 10 });
    expect(test.gateway.app.get(Brands).get('default').name).toBe(shipped);
    // By the rules of today: the operator sends from another domain since.
    await edit({ sender: 'help@support.example' });
    await back(0, 7);
    await test.restart({ MAIL_FROM: 'no-reply@moved.example' });
    expect(await back(7, 8)).toMatchObject({ status: 422, body: { problems: [{ place: 'sender' }] } });
    expect((await back(2, 8)).status).toBe(200);
  });

  it('have a logo that is made anew from its pixels, in mails and pages alike', async () => {
    const secret = 'GPS of the photographer';
    const content = await picture(1600, 400)
      .withExif({ IFD0: { Copyright: secret } })
      .jpeg()
      .toBuffer();
    const answer = await upload(Buffer.concat([content, Buffer.from('<script>alert(1)</script>')]), 0, 'logo.jpg');
    expect(answer.status).toBe(200);
    expect(answer.body.logo).toMatchObject({ width: 320, height: 80 });
    const kept = Buffer.from(answer.body.logo.url.split(',')[1], 'base64');
    expect(kept.toString('latin1')).not.toMatch(/GPS|script/);
    expect(await sharp(kept).metadata()).toMatchObject({ format: 'png', width: 640, height: 160 });
    test.clock.advance({ seconds: 10 });
    const { mail, page, guest } = await mailAndPage('7004');
    expect(page.html).toContain(answer.body.logo.url.slice(0, 200));
    const url = /src="(http[^"]+logo\.png)"/.exec(mail.html)![1]!;
    const loaded = await fetch(url);
    expect([loaded.status, loaded.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(Buffer.from(await loaded.arrayBuffer())).toEqual(kept);
    // A process that wrote no page yet has it too, and one that has newer editions at hand only.
    await test.restart();
    expect((await guest.get(new URL(url).pathname)).status).toBe(200);
    const brands = test.gateway.app.get(Brands);
    vi.spyOn(brands, 'all').mockReturnValue([]);
    expect((await guest.get(new URL(url).pathname)).status).toBe(200);
    expect((await guest.get(new URL(url).pathname.replace(/\w{16}/, '0'.repeat(16)))).status).toBe(404);
    vi.restoreAllMocks();
    expect((await admin.request('DELETE', `${PATH}/logo?version=1`)).body.logo).toBeNull();
    test.clock.advance({ seconds: 10 });
    expect((await mailAndPage('7005')).mail.html).not.toContain('<img');
  });

  it('have a logo set over what another process wrote a moment ago', async () => {
    const second = await secondGateway(test);
    const there = (await second.app.getUrl()).replace('[::1]', '127.0.0.1');
    const settings = settingsOf(await shown());
    admin.at = there;
    const edited = await admin.request('PUT', PATH, { ...settings, name: 'Acme Help', radius: 3 });
    expect(edited.body.version).toBe(1);
    admin.at = test.url;
    const set = await upload(await picture().png().toBuffer(), 1);
    expect(set.body).toMatchObject({ version: 2, name: 'Acme Help', radius: 3 });
    admin.at = there;
    const without = await admin.request('DELETE', `${PATH}/logo?version=2`);
    expect(without.body).toMatchObject({ version: 3, name: 'Acme Help', logo: null });
    await second.close();
  });

  it('refuse what is no logo', async () => {
    const bomb = await sharp({ create: { width: 9000, height: 9000, channels: 3, background: '#fff' } })
      .png({ compressionLevel: 9 })
      .toBuffer();
    const noise = Buffer.from(Array.from({ length: 640 * 160 * 3 }, (_, i) => (i * i * 2654435761) >>> 13));
    const pictures: [string, Buffer, number][] = [
      ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'), 422],
      [
        'an SVG that begins like a PNG',
        Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.from('<svg/>')]),
        422,
      ],
      ['a GIF', await picture().gif().toBuffer(), 422],
      ['half a PNG', (await picture().png().toBuffer()).subarray(0, 60), 422],
      ['a bomb', bomb, 422],
      ['nothing', Buffer.alloc(0), 422],
      ['a speck', await picture(4, 4).png().toBuffer(), 422],
      ['more than 512 KB', Buffer.concat([await picture().png().toBuffer(), Buffer.alloc(520 * 1024)]), 413],
    ];
    for (const [name, content, expected] of pictures)
      expect([name, (await upload(content, 0)).status]).toEqual([name, expected]);
    expect(await count(test, 'brand_editions')).toBe(0);
    // What is heavy but honest is made lighter.
    const heavy = await sharp(noise, { raw: { width: 640, height: 160, channels: 3 } })
      .png()
      .toBuffer();
    const { body } = await upload(heavy, 0);
    expect(Buffer.from(body.logo.url.split(',')[1], 'base64').length).toBeLessThanOrEqual(64 * 1024);
  });
});
