import { addressKey } from '../../src/platform/address.js';
import { FeedbackRecorder, type FeedbackOutcome, type FeedbackReport } from '../../src/delivery/feedback.js';
import { Suppressions } from '../../src/delivery/suppression.js';
import type { Id } from '../../src/ids.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { someDatabase } from '../support/some-database.js';
import { count, rows } from '../support/tables.js';
import { askForCode, invite, newestMail } from '../support/visit.js';

describe.each(someDatabase)('suppression on $name', (database) => {
  let test: TestGateway;
  let suppressions: Suppressions;
  beforeAll(async () => {
    test = await createGateway({ database });
    suppressions = test.gateway.app.get(Suppressions);
  });
  afterAll(() => test.close());

  let guests = 0;
  const newGuest = () => `sup-${++guests}@example.com`;
  /** A link in the mailbox of this address, and the delivery that brought it. */
  async function mailTo(email: string): Promise<{ link: string; id: Id<'dlv'> }> {
    const link = await invite(test, { email });
    return { link, id: (await rows(test, 'deliveries', `recipient = '${email}'`)).at(-1)!.id as Id<'dlv'> };
  }
  async function say(email: string, kind: FeedbackReport['kind']): Promise<FeedbackOutcome> {
    const { id: deliveryId } = await mailTo(email);
    const report = { deliveryId, recipientKeys: [addressKey(email)], kind, origin: 'dsn' as const, detail: '' };
    return test.gateway.database.write((tx) => test.gateway.app.get(FeedbackRecorder).record(tx, report));
  }
  const why = async (email: string) =>
    (await test.gateway.database.read((manager) => suppressions.among(manager, [addressKey(email)]))).get(
      addressKey(email),
    );
  const suppress = (key: string) => test.gateway.database.write((tx) => suppressions.suppress(tx, key, 'hard-bounce'));
  const release = (email: string) => test.gateway.database.write((tx) => suppressions.release(tx, addressKey(email)));

  it('begins with the fifth soft bounce in a row, and not before', async () => {
    const email = newGuest();
    for (let n = 1; n <= 5; n++) {
      await say(email, 'soft-bounced');
      expect([n, await why(email)]).toEqual([n, n < 5 ? undefined : 'soft-bounces']);
    }
  });

  it('counts soft bounces anew after a mail that arrived', async () => {
    const email = newGuest();
    for (let n = 0; n < 4; n++) await say(email, 'soft-bounced');
    await say(email, 'delivered');
    for (let n = 0; n < 4; n++) await say(email, 'soft-bounced');
    expect(await why(email)).toBeUndefined();
    await say(email, 'soft-bounced');
    expect(await why(email)).toBe('soft-bounces');
  });

  it('counts soft bounces anew after a month without one', async () => {
    const email = newGuest();
    for (let n = 0; n < 4; n++) await say(email, 'soft-bounced');
    test.clock.advance({ days: 30 });
    await say(email, 'soft-bounced');
    expect(await why(email)).toBeUndefined();
    expect(Number((await rows(test, 'suppressions', `address_key = '${email}'`))[0]!.soft_count)).toBe(1);
  });

  it('counts soft bounces that come at once each', async () => {
    const email = newGuest();
    const deliveries: Id<'dlv'>[] = [];
    for (let n = 0; n < 5; n++) deliveries.push((await mailTo(email)).id);
    const recorder = test.gateway.app.get(FeedbackRecorder);
    const said = { recipientKeys: [email], kind: 'soft-bounced' as const, origin: 'dsn' as const, detail: '' };
    const record = (deliveryId: Id<'dlv'>) =>
      test.gateway.database.write((tx) => recorder.record(tx, { ...said, deliveryId }));
    await Promise.all(deliveries.map(record));
    expect(await why(email)).toBe('soft-bounces');
  });

  it.each([
    ['bounced', 'hard-bounce'],
    ['complained', 'complaint'],
  ] as const)('begins at once when a mail %s, and a delivery does not end it', async (kind, reason) => {
    const email = newGuest();
    await say(email, kind);
    await say(email, 'delivered');
    expect(await why(email)).toBe(reason);
  });

  it('is not begun by a mail that was refused for what it is', async () => {
    const email = newGuest();
    for (let n = 0; n < 6; n++) await say(email, 'refused');
    expect(await why(email)).toBeUndefined();
  });

  it('is of the address however it is written, and of no other', async () => {
    const email = `Sup.${++guests}@Example.com`;
    await suppress(addressKey(email));
    expect(await why(email.toUpperCase())).toBe('hard-bounce');
    expect(await why(email.replace('Sup.', 'sup'))).toBeUndefined();
  });

  it('ends by a release, which succeeds once, and can begin again', async () => {
    const email = newGuest();
    await say(email, 'bounced');
    const released = await Promise.all(Array.from({ length: 10 }, () => release(email)));
    expect(released.filter((one) => one !== null)).toHaveLength(1);
    expect(await why(email)).toBeUndefined();
    await say(email, 'soft-bounced');
    expect(await why(email)).toBeUndefined();
    await say(email, 'complained');
    expect(await why(email)).toBe('complaint');
    expect(await count(test, 'suppressions', `address_key = '${email}'`)).toBe(1);
  });

  it('is told of a thousand addresses in one answer', async () => {
    const keys = Array.from({ length: 1000 }, (_, n) => `many-${n}@example.com`);
    await test.gateway.database.write(async (tx) => {
      for (const key of keys.slice(0, 10)) await suppressions.suppress(tx, key, 'hard-bounce');
    });
    const found = await test.gateway.database.read((manager) => suppressions.among(manager, keys));
    expect([...found.keys()].sort()).toEqual(keys.slice(0, 10).sort());
    expect(await test.gateway.database.read((manager) => suppressions.among(manager, []))).toEqual(new Map());
  });

  describe('on the guest pages', () => {
    const UNREACHABLE = 'We cannot email this address';
    const SENT = /We sent|should arrive|already sent/;

    it('sends no code, makes none, counts nothing, and does not say that it sent', async () => {
      const email = newGuest();
      const { link } = await mailTo(email);
      const guest = new Guest(test.url);
      const landing = await guest.get(link);
      await say(email, 'bounced');
      const before = [await count(test, 'challenges'), await count(test, 'deliveries'), await count(test, 'limits')];
      for (let n = 0; n < 3; n++) {
        const page = await guest.submit(landing, '/code');
        expect(page.status).toBe(409);
        expect(page.text).toContain(UNREACHABLE);
        expect(page.text).toContain('s***');
        expect(page.text).not.toMatch(SENT);
        expect(page.html).not.toContain(email);
      }
      const after = [await count(test, 'challenges'), await count(test, 'deliveries'), await count(test, 'limits')];
      expect(after).toEqual(before);
    });

    it('does not say later either that a code was sent, when that was held back', async () => {
      const email = newGuest();
      const { link } = await mailTo(email);
      const guest = new Guest(test.url);
      await guest.submit(await guest.get(link), '/code', {}, { follow: false });
      await suppress(email);
      for (const path of [`${link}/code`, `${link}/code?again=1`]) {
        const page = await guest.get(path);
        expect(page.text).toContain(UNREACHABLE);
        expect(page.text).not.toMatch(SENT);
      }
    });

    it('renews no link there', async () => {
      const email = newGuest();
      const { link } = await mailTo(email);
      test.clock.advance({ days: 31 });
      const guest = new Guest(test.url);
      const expired = await guest.get(link);
      await suppress(email);
      const mails = await count(test, 'deliveries');
      const page = await guest.submit(expired, '/renew');
      expect(page.text).toContain(UNREACHABLE);
      expect(await count(test, 'deliveries')).toBe(mails);
    });

    it('lets the guest in again after a release', async () => {
      const email = newGuest();
      const { link } = await mailTo(email);
      await say(email, 'bounced');
      await release(email);
      const { page } = await askForCode(test, new Guest(test.url), link, email);
      expect(page.text).toMatch(SENT);
      expect(newestMail(test, email)).toBeDefined();
    });
  });
});
