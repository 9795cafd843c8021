import { PublishedWords } from '../../src/templates/published.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { until } from '../support/program.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { studioPerson } from '../support/studio.js';
import { count } from '../support/tables.js';

const LONGEST_MS = 10_000;

/** Two gateways on one database, each with its own memory of the words, as two processes have it. */
describe.each(databases.filter(({ name }) => name === 'Postgres'))('words over two gateways on $name', (database) => {
  let relay: Relay;
  let first: TestGateway;
  let second: TestGateway;
  beforeAll(async () => {
    relay = await startRelay();
    const settings = { MAIL_URL: relay.url, SOURCE_SECRET: generateWebhookSecret() };
    first = await createGateway({ database, settings });
    second = await createGateway({
      database,
      settings: { ...settings, ...first.keys, DATABASE_URL: first.databaseUrl },
    });
  });
  afterAll(async () => {
    await second.close();
    await first.close();
    await relay.close();
  });

  const heading = () => second.gateway.app.get(PublishedWords).texts.read('ticket-replied', 'en')!;
  let tickets = 0;
  async function nextSubject(test: TestGateway): Promise<string> {
    await test.source.send('ticket.replied', {
      ticket: { id: `two-${++tickets}`, number: '12345' },
      requester: { email: `two-${tickets}@example.com`, locale: 'en' },
      message: {},
    });
    await test.drain();
    return /^Subject: (.*)\r$/m.exec(relay.handedOver.at(-1)!.raw)![1]!;
  }
  /** How long until the other gateway knows, ms of the real clock: its own look, nobody wakes it. */
  async function untilKnown(isKnown: () => boolean): Promise<number> {
    const began = performance.now();
    await until('the other gateway knows', isKnown, { everyMs: 50 });
    return performance.now() - began;
  }

  it('a publication and its rollback reach the next mail of the other one within 10 seconds', async () => {
    const publisher = await studioPerson(first, 'publisher');
    const { text, base } = (await publisher.ask('GET', 'words/ticket-replied/en')).body;
    const shipped = await nextSubject(second);
    const changed = text.replace(/^subject: .*$/m, 'subject: Everywhere {{ticketNumber}}');
    await publisher.ask('PUT', 'drafts/ticket-replied/en', { text: changed, version: 0, base });
    expect(await publisher.ask('POST', 'drafts/ticket-replied/en/publish', { why: 'x' })).toMatchObject({
      status: 200,
    });
    expect(await nextSubject(first)).toBe('Everywhere 12345');
    expect(await untilKnown(() => heading().includes('Everywhere'))).toBeLessThan(LONGEST_MS);
    expect(await nextSubject(second)).toBe('Everywhere 12345');
    await publisher.ask('POST', 'words/ticket-replied/en/rollback', { revision: 'shipped', why: 'y' });
    expect(await nextSubject(first)).toBe(shipped);
    expect(await untilKnown(() => !heading().includes('Everywhere'))).toBeLessThan(LONGEST_MS);
    expect(await nextSubject(second)).toBe(shipped);
  });

  it('a draft published through both at once is published once', async () => {
    const here = await studioPerson(first, 'publisher', 'Ben');
    const there = await studioPerson(second, 'publisher', 'Cai');
    const { text, base } = (await here.ask('GET', 'words/ticket-closed/en')).body;
    await here.ask('PUT', 'drafts/ticket-closed/en', {
      text: text.replace(/^heading: .*$/m, 'heading: Done'),
      version: 0,
      base,
    });
    const path = 'drafts/ticket-closed/en/publish';
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? here : there).ask('POST', path, { why: 'race' })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await count(first, 'template_publications', `why = 'race'`)).toBe(1);
  });

  it('many saves through both at once lose none that was answered', async () => {
    const people = [await studioPerson(first, 'editor', 'Dee'), await studioPerson(second, 'editor', 'Eli')];
    const { text, base } = (await people[0]!.ask('GET', 'words/ticket-reopened/en')).body;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        people[i % 2]!.ask('PUT', 'drafts/ticket-reopened/en', { text: `${text}\n\n${i}\n`, version: 0, base }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });
});
