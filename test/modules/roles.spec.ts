import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { settingsOf, systems } from '../support/systems.js';

const postgres = databases.filter(({ name }) => name === 'Postgres');

(postgres.length > 0 ? describe : describe.skip)('web and worker as processes of their own', () => {
  let web: TestGateway;
  let worker: TestGateway;
  let api: ScriptedHttp;
  let folder: string;
  beforeAll(async () => {
    const zendesk = systems.find(({ name }) => name === 'zendesk')!;
    api = await startScriptedHttp((response, request) =>
      answer(200, zendesk.api!(request.url, { emailOf: () => 'lacks@example.com', copiesOf: () => [] }))(
        response,
        request,
      ),
    );
    folder = mkdtempSync(join(tmpdir(), 'postern-roles-'));
    const secret = generateWebhookSecret();
    const file = join(folder, 'sources.yaml');
    const sources = [{ name: 'default', secrets: [secret] }, settingsOf(zendesk, 'desk', api.origin)];
    writeFileSync(file, JSON.stringify({ sources }));
    const both = { SOURCES_FILE: file, SOURCE_SECRET: secret };
    web = await createGateway({ database: postgres[0], settings: { ...both, ROLES: 'web' } });
    worker = await createGateway({
      database: { name: 'Postgres', create: async () => ({ url: web.databaseUrl, drop: async () => {} }) },
      settings: { ...both, ROLES: 'worker', ...web.keys },
    });
  });
  afterAll(async () => {
    await worker.close();
    await web.close();
    await api.close();
    rmSync(folder, { recursive: true });
  });

  it('mail by the worker what the web process took', async () => {
    await web.source.send('ticket.replied', { message: {} });
    await web.drain();
    expect(web.inbox.messages).toHaveLength(0);
    await worker.drain();
    const mail = await worker.inbox.nextMailTo('siti@example.com');
    expect((await fetch(web.url + linkOf(mail))).status).toBe(200);
  });

  it('ask by the worker what an event of the web process lacks', async () => {
    const zendesk = systems.find(({ name }) => name === 'zendesk')!;
    const at = web.clock.now();
    const raw = JSON.stringify(zendesk.body({ ticketId: 7, at, what: 'replied', email: 'lacks@example.com' }));
    const headers = { 'content-type': 'application/json', ...zendesk.headers(raw, at) };
    const taken = await fetch(`${web.url}/v1/sources/desk/events`, { method: 'POST', headers, body: raw });
    expect(taken.status).toBe(202);
    await web.drain();
    expect(api.requests).toHaveLength(0);
    await worker.drain();
    expect(api.requests.length).toBeGreaterThan(0);
    await worker.inbox.nextMailTo('lacks@example.com');
  });

  it('serve pages and webhooks only by the web process, health by both', async () => {
    expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${worker.url}/help`)).status).toBe(404);
    expect((await worker.source.post(worker.source.event('ticket.created'))).status).toBe(404);
    expect((await fetch(`${web.url}/help`)).status).toBe(200);
  });
});
