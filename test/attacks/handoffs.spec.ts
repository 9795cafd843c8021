import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { counted } from '../support/counted.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { createHandingGateway, handOver, redeem } from '../support/handed.js';
import { Guest } from '../support/guest.js';
import { freePort } from '../support/program.js';
import { someDatabase } from '../support/some-database.js';
import { rows } from '../support/tables.js';
import { askForCode, invite } from '../support/visit.js';

const foreign = { name: 'foreign', secrets: [generateWebhookSecret()], ticketPage: 'https://other.example/{id}' };

describe.each(someDatabase)('handoffs on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createHandingGateway([{ ticketPage: 'https://help.example/{number}' }, foreign], { database });
  });
  afterAll(() => test.close());
  beforeEach(() => test.clock.advance({ minutes: 61 }));

  /** All that the caller can see of a refusal. */
  const seen = async (answer: Response) => [
    answer.status,
    await answer.text(),
    [...answer.headers].filter(([name]) => name !== 'date'),
  ];

  it('cannot be told apart when they are forged, used, late, revoked or of another source', async () => {
    const unknown = await seen(await redeem(test, `hof_${'A'.repeat(43)}`));
    expect(unknown[0]).toBe(410);

    const used = await handOver(test);
    expect((await redeem(test, used.token)).status).toBe(200);
    const late = await handOver(test, { email: 'budi@example.com' });
    test.clock.advance({ seconds: 60 });
    const standing = await handOver(test, { email: 'ani@example.com' });
    const elsewhere = await redeem(test, standing.token, { source: 'foreign', secret: foreign.secrets[0] });
    for (const answer of [
      await redeem(test, used.token),
      await redeem(test, late.token),
      elsewhere,
      await redeem(test, ''),
      await redeem(test, 'hof_'),
      await redeem(test, standing.token.slice(4)),
      await redeem(test, ` ${standing.token}`),
      await redeem(test, `${standing.token}=`),
      await redeem(test, `hof_${"' OR 1=1 --".padEnd(43, 'x')}`),
    ])
      expect(await seen(answer)).toEqual(unknown);
    counted('forged handoffs', 9);
    // None of that has used it up.
    expect((await redeem(test, standing.token)).status).toBe(200);
  });

  it('are refused with any one sign changed', async () => {
    const { token } = await handOver(test);
    for (let place = 4; place < token.length; place++) {
      const flipped = token.slice(0, place) + (token[place] === 'A' ? 'B' : 'A') + token.slice(place + 1);
      expect([place, (await redeem(test, flipped)).status]).toEqual([place, 410]);
    }
    counted('forged handoffs', token.length - 4);
    expect((await redeem(test, token)).status).toBe(200);
  });

  it('are worth nothing without the signature of their source', async () => {
    const { token } = await handOver(test);
    const attempts = [
      redeem(test, token, { secret: generateWebhookSecret() }),
      redeem(test, token, { secret: foreign.secrets[0] }),
      redeem(test, token, { ageSeconds: 301 }),
      redeem(test, token, { ageSeconds: -301 }),
      redeem(test, token, { headers: { 'webhook-signature': '' } }),
      redeem(test, token, { headers: { 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}` } }),
      redeem(test, token, { headers: { 'webhook-id': 'other' } }),
    ];
    for (const answer of await Promise.all(attempts)) expect(answer.status).toBe(401);
    expect((await redeem(test, token)).status).toBe(200);
  });

  it('of a page that was moved meanwhile lead nobody in', async () => {
    const { token } = await handOver(test);
    const { database: store } = test.gateway;
    await store.write((tx) =>
      tx.query(`UPDATE handoffs SET target = 'https://old.example/1' WHERE redeemed_at IS NULL`),
    );
    expect((await redeem(test, token)).status).toBe(410);
  });

  it.each([2, 10, 50, 100, 200])('are redeemed once by %i servers at once', async (many) => {
    const { token } = await handOver(test);
    const answers = await Promise.all(Array.from({ length: many }, () => redeem(test, token)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 410)).toHaveLength(many - 1);
  });

  it('come one at a time: fifty right answers at once give one', async () => {
    const before = (await rows(test, 'handoffs')).length;
    const guest = new Guest(test.url);
    const link = await invite(test, { email: 'many@example.com' });
    const { page, code } = await askForCode(test, guest, link, 'many@example.com');
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => guest.submit(page, '/verify', { code }, { follow: false })),
    );
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(await rows(test, 'handoffs')).toHaveLength(before + 1);
  });
});

const postgres = databases.filter(({ name }) => name === 'Postgres');

describe.each(postgres)('two gateways on one $name', (database) => {
  it.each([2, 50, 200])('give one of %i redemptions at once', async (many) => {
    const one = await createHandingGateway([{ ticketPage: 'https://help.example/{number}' }], { database });
    const port = await freePort();
    const two = await createGateway({
      settings: {
        ...one.keys,
        DATABASE_URL: one.databaseUrl,
        SOURCES_FILE: one.sourcesFile,
        PORT: String(port),
      },
    });
    try {
      const { token } = await handOver(one);
      const at = [one, { ...two, url: `http://127.0.0.1:${port}`, clock: one.clock, source: one.source }];
      const answers = await Promise.all(Array.from({ length: many }, (_, i) => redeem(at[i % 2]!, token)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 410)).toHaveLength(many - 1);
    } finally {
      await two.close();
      await one.close();
    }
  });
});
