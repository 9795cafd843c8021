import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';

const postgres = databases.filter(({ name }) => name === 'Postgres');

(postgres.length > 0 ? describe : describe.skip)('web and worker as processes of their own', () => {
  let web: TestGateway;
  let worker: TestGateway;
  beforeAll(async () => {
    web = await createGateway({ database: postgres[0], settings: { ROLES: 'web' } });
    worker = await createGateway({
      database: { name: 'Postgres', create: async () => ({ url: web.databaseUrl, drop: async () => {} }) },
      settings: { ROLES: 'worker', ...web.keys },
    });
  });
  afterAll(async () => {
    await worker.close();
    await web.close();
  });

  it('mail by the worker what the web process took', async () => {
    await web.source.send('ticket.replied', { message: {} });
    await web.drain();
    expect(web.inbox.messages).toHaveLength(0);
    await worker.drain();
    const mail = await worker.inbox.nextMailTo('siti@example.com');
    expect((await fetch(web.url + linkOf(mail))).status).toBe(200);
  });

  it('serve pages and webhooks only by the web process, health by both', async () => {
    expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${worker.url}/help`)).status).toBe(404);
    expect((await worker.source.post(worker.source.event('ticket.created'))).status).toBe(404);
    expect((await fetch(`${web.url}/help`)).status).toBe(200);
  });
});
