import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { RequestMethod } from '@nestjs/common';
import { Validator } from '@seriousme/openapi-schema-validator';
import { packageRoot } from '../../src/config.js';
import { silentTypes, tellingTypes } from '../../src/events.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { PosternClient, PosternProblem, readNews, type PosternEvent } from '../../src/client/client.js';
import { describeInBrowser, launchBrowser } from '../support/browser.js';
import { sqlite } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { visit } from '../support/visit.js';

const ADMIN_TOKEN = 'admin-token-of-at-least-32-signs-000001';

interface Operation {
  parameters?: { name: string; in: string; schema: { enum?: string[] } }[];
  requestBody?: { content: Record<string, { example?: object; examples?: Record<string, { value: object }> }> };
  responses: Record<
    string,
    { description: string; content?: Record<string, { example?: object; schema?: { $ref?: string } }> }
  >;
  security: object[];
}
interface NestContainer {
  getModules(): Map<unknown, { controllers: Map<unknown, { metatype: { prototype: object } }> }>;
}

/** `GET /path/:parameter` of each route of a controller. */
function routesOf(controller: { prototype: object }): string[] {
  const base = String(Reflect.getMetadata('path', controller));
  const methods = Object.getOwnPropertyDescriptors(controller.prototype) as Record<string, PropertyDescriptor>;
  return Object.values(methods).flatMap(({ value }) => {
    const given =
      typeof value === 'function' ? (Reflect.getMetadata('path', value) as string | string[] | undefined) : undefined;
    const method = given === undefined ? undefined : (Reflect.getMetadata('method', value as object) as number);
    if (given === undefined || method === undefined) return []; // the constructor has a path too
    return [given].flat().map((path) => {
      const parts = [base, path].map((one) => one.replace(/^\/|\/$/g, '')).filter(Boolean);
      return `${RequestMethod[method]} /${parts.join('/')}`;
    });
  });
}

interface Described {
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: object; required: string[]; anyOf?: { $ref: string }[] }> };
}

describe('the API described', () => {
  let test: TestGateway;
  let described: Described;
  let receiver: Receiver;
  const outboundSecret = generateWebhookSecret();
  beforeAll(async () => {
    receiver = await startReceiver();
    const tokens = { ADMIN_TOKEN, METRICS_TOKEN: 'm'.repeat(32) };
    const feedback = { FEEDBACK_TOKEN: 'f'.repeat(32), RESEND_WEBHOOK_SECRET: generateWebhookSecret() };
    const outbound = { OUTBOUND_URL: receiver.url, OUTBOUND_SECRET: outboundSecret };
    // The client signs by the real clock.
    test = await createGateway({
      database: sqlite,
      clockRuns: true,
      settings: { ...tokens, ...feedback, ...outbound },
    });
    test.clock.advance({ seconds: (Date.now() - test.clock.now()) / 1000 });
    described = (await (await fetch(`${test.url}/openapi.json`)).json()) as Described;
  });
  afterAll(async () => {
    await test.close();
    await receiver.close();
  });

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(described) as never);
    expect([result.valid, result.errors]).toEqual([true, undefined]);
    expect(validator.version).toBe('3.1');
    expect(described.servers[0]!.url).toBe(test.url);
  });

  it('names every route of the API that there is, and none that is not', async () => {
    const routes = Object.entries(described.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    const container = (test.gateway.app as unknown as { container: NestContainer }).container;
    const there = [...container.getModules().values()].flatMap(({ controllers }) =>
      [...controllers.values()].flatMap(({ metatype }) => routesOf(metatype)),
    );
    const isOfTheApi = (route: string) => /^\w+ \/(v1|health|metrics|\.well-known)(\/|$)/.test(route);
    expect(routes.toSorted()).toEqual([...new Set(there.filter(isOfTheApi))].toSorted());
  });

  it('has examples that the gateway takes and gives', async () => {
    const { post } = described.paths['/v1/sources/{source}/events']!;
    const { examples = {} } = post!.requestBody!.content['application/json']!;
    expect(Object.keys(examples)).toEqual([...tellingTypes, ...silentTypes]);
    const client = new PosternClient({ url: test.url, source: 'default', secret: test.source.secret });
    const given = (status: string) => post!.responses[status]!.content!['application/json']!.example!;
    for (const [type, { value }] of Object.entries(examples)) {
      expect((value as PosternEvent).type).toBe(type);
      const first = await client.send(value as PosternEvent, `evt-example-${type.replace('.', '-')}`);
      const again = await client.send(value as PosternEvent, `evt-example-${type.replace('.', '-')}`);
      expect([type, Object.keys(first)]).toEqual([type, Object.keys(given('202'))]);
      expect([type, first.duplicate, again]).toEqual([type, false, { ...first, duplicate: true }]);
    }
  });

  it('has every form of a receipt, of a decision and of a problem', () => {
    const { schemas } = described.components;
    expect(schemas.Receipt!.anyOf!.map(({ $ref }) => $ref.split('/').at(-1))).toEqual([
      'TakenEvent',
      'IgnoredEvent',
      'Receipts',
    ]);
    expect(Object.keys(schemas.Problem!.properties)).toEqual(
      expect.arrayContaining(['errors', 'problems', 'theirs', 'base']),
    );
    const decisions = Object.entries(described.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([method]) => path.startsWith('/v1/admin/') && method !== 'get')
        .map(([method, operation]) => ({ path, method, operation })),
    );
    expect(decisions.length).toBeGreaterThan(6);
    for (const { path, method, operation } of decisions) {
      const body = operation.requestBody?.content['application/json']?.example;
      expect([path, method, Object.keys(body ?? {})]).toEqual([path, method, ['reason']]);
      expect([path, operation.parameters!.some(({ name }) => name === 'reason')]).toEqual([path, true]);
    }
    const { parameters } = described.paths['/v1/admin/tickets/{id}/revoke-links']!.post!;
    expect(parameters!.map(({ name }) => name)).toContain('address');
  });

  it('and the guide of events have the same codes for what an event is refused for', () => {
    const guide = readFileSync(join(packageRoot, 'docs', 'events.md'), 'utf8').split('### Answers')[1]!;
    const { responses } = described.paths['/v1/sources/{source}/events']!.post!;
    const refused = Object.values(responses).filter(({ content }) => content?.['application/problem+json']);
    const codes = refused.flatMap(({ description }) => description.match(/`[\w-]+`/g) ?? []);
    expect(codes).toContain('`invalid-event`');
    for (const code of codes) expect(guide).toContain(code);
  });

  it('names the states of each list as the gateway takes them', async () => {
    for (const list of ['deliveries', 'events', 'outbound']) {
      const { parameters } = described.paths[`/v1/admin/${list}`]!.get!;
      const named = parameters!.find(({ name }) => name === 'state')!.schema.enum!;
      const refused = await fetch(`${test.url}/v1/admin/${list}?state=lost`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      const { detail } = (await refused.json()) as { detail: string };
      expect([list, detail]).toEqual([list, `state is one of ${named.join(', ')}.`]);
    }
  });

  it('has an event as the admin API shows it', async () => {
    const { eventId } = await test.source.send('ticket.replied', { ticket: { id: 'shown' }, message: {} });
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const shown = (await (await fetch(`${test.url}/v1/admin/events/${eventId}`, { headers })).json()) as object;
    const { content } = described.paths['/v1/admin/events/{id}']!.get!.responses['200']!;
    const example = content!['application/json']!.example!;
    const keysOf = (one: object) => [Object.keys(one), Object.keys((one as { deliveries: object[] }).deliveries[0]!)];
    expect(keysOf(shown)).toEqual(keysOf(example));
    const { properties, required } = described.components.schemas.EventStory!;
    expect([Object.keys(properties).toSorted(), required]).toEqual([Object.keys(shown).toSorted(), Object.keys(shown)]);
  });

  it('says of every guarded door that it is, and every door answers with a problem of the list', async () => {
    const { properties, required } = described.components.schemas.Problem!;
    const { enum: codes } = (properties as { code: { enum: string[] } }).code;
    for (const [path, methods] of Object.entries(described.paths))
      for (const [method, { security, responses }] of Object.entries(methods)) {
        if (path.startsWith('/health') || path.includes('jwks')) continue;
        const answer = await fetch(`${test.url}${path.replace(/\{\w+\}/g, 'default')}`, {
          method: method.toUpperCase(),
          ...(method === 'get' ? {} : { headers: { 'content-type': 'application/json' }, body: '{}' }),
        });
        const body = (await answer.json()) as Record<string, unknown>;
        expect([method, path, Object.keys(responses).includes(String(answer.status))]).toEqual([method, path, true]);
        if (security.length > 0) expect([method, path, answer.status]).toEqual([method, path, 401]);
        expect(required.every((key) => key in body)).toBe(true);
        expect(codes).toContain(body.code);
      }
  });

  it('is a page for people, within the content security policy', async () => {
    const answer = await fetch(`${test.url}/docs`);
    const html = await answer.text();
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(html).not.toMatch(/<script|style=|\son\w+=|https?:\/\/(?!127)/);
    for (const path of Object.keys(described.paths)) expect(html).toContain(path);
    const style = await fetch(`${test.url}/docs/style.css`);
    expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  });

  describeInBrowser('in a browser', () => {
    it('is accessible, light and dark, and fits a small phone', async () => {
      const browser = await launchBrowser();
      try {
        for (const colorScheme of ['light', 'dark'] as const) {
          const context = await browser.newContext({ viewport: { width: 320, height: 640 }, colorScheme });
          const page = await context.newPage();
          await page.goto(`${test.url}/docs`);
          await page.evaluate(axe.source);
          const { faults, width } = await page.evaluate(async () => {
            const { axe: checker } = globalThis as unknown as { axe: typeof axe };
            const { violations } = await checker.run();
            return { faults: violations.map(({ id }) => id), width: document.documentElement.scrollWidth };
          });
          expect([colorScheme, faults, width]).toEqual([colorScheme, [], 320]);
        }
      } finally {
        await browser.close();
      }
    });
  });

  describe('the client', () => {
    it('throws what was wrong, with code, pointers and whether to try again', async () => {
      const client = new PosternClient({ url: `${test.url}/`, source: 'default', secret: test.source.secret });
      const event = test.source.event('ticket.replied', { requester: { email: 'nobody' } }) as unknown as PosternEvent;
      const problem = await client.send(event).catch((error: unknown) => error as PosternProblem);
      expect(problem).toBeInstanceOf(PosternProblem);
      expect(problem).toMatchObject({ status: 422, code: 'invalid-event', isTemporary: false });
      expect((problem as PosternProblem).errors[0]!.pointer).toBe('/data/requester/email');
      const stranger = new PosternClient({ url: test.url, source: 'default', secret: generateWebhookSecret() });
      await expect(stranger.send(event)).rejects.toMatchObject({ status: 401, code: 'bad-signature' });
    });

    it.each([
      ['a url without https', { url: 'support.example' }, 'url'],
      ['a secret that is not set', { secret: undefined }, 'secret'],
      ['a secret of another kind', { secret: 'acme' }, 'secret'],
    ])('is not made with %s', (_, wrong, what) => {
      const right = { url: test.url, source: 'default', secret: test.source.secret };
      expect(() => new PosternClient({ ...right, ...(wrong as object) })).toThrow(what);
    });

    it('reads what Postern posts, and nothing else', async () => {
      const { guest, page } = await visit(test);
      await guest.submit(page, '/replies', { body: 'Ini ID transaksinya' });
      await test.drain();
      const post = receiver.posts.find(({ body }) => body.includes('guest_replied'))!;
      const read = readNews([outboundSecret], post.headers, post.body);
      expect(read).toMatchObject({
        id: post.headers['webhook-id'],
        news: { type: 'ticket.guest_replied', data: { reply: { body: 'Ini ID transaksinya' } } },
      });
      expect(readNews([outboundSecret], post.headers, Buffer.from(post.body))).toEqual(read);
      expect(readNews([outboundSecret], new Headers(post.headers as Record<string, string>), post.body)).toEqual(read);
      expect(readNews([outboundSecret], post.headers, `${post.body} `)).toBeNull();
      expect(readNews([generateWebhookSecret()], post.headers, post.body)).toBeNull();
      expect(readNews([generateWebhookSecret(), outboundSecret], post.headers, post.body)).toEqual(read);
    });
  });
});
