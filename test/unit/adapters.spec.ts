import { createHmac } from 'node:crypto';
import { PosternError } from '../../src/errors.js';
import type { ApiAnswer, IncomingWebhook, LookUp } from '../../src/intake/sources/adapter.js';
import { adfAsMarkdown } from '../../src/intake/sources/adf.js';
import { moment } from '../../src/intake/sources/reading.js';
import { jira } from '../../src/intake/sources/jira.js';
import { completedOf, readWebhook, type Happening } from '../../src/intake/sources/read.js';
import { zendesk } from '../../src/intake/sources/zendesk.js';
import { mappingSchema } from '../../src/mapping.js';
import type { JsonValue } from '../../src/platform/strict-json.js';
import { readSources, type Source } from '../../src/sources.js';

const NOW = Date.parse('2026-11-23T02:15:00Z');
const secret = 'a secret of some length';

function sourceOf(adapter: Source['adapter'], more: Partial<Source> = {}): Source {
  return { name: 'desk', adapter, secrets: [secret, 'another secret of it'], api: null, ...more } as Source;
}

const read = (source: Source, body: unknown, headers: IncomingWebhook['headers'] = {}, isTrusted = true): Happening[] =>
  readWebhook(
    source,
    { headers, rawBody: Buffer.from(JSON.stringify(body)), mediaType: 'application/json', now: NOW },
    isTrusted,
  );

/** What each happening says, in one word. */
const told = (found: readonly Happening[]) => found.map((one) => (one.kind === 'event' ? one.event.type : one.reason));

function errorsOf(read: () => unknown): { pointer: string; detail: string }[] {
  try {
    read();
  } catch (error) {
    if (error instanceof PosternError) return error.extra.errors ?? [];
    throw error;
  }
  throw new Error('it was taken');
}

describe('Freshdesk', () => {
  const source = sourceOf('freshdesk');
  const body = (more: object = {}) => ({
    freshdesk_webhook: { ticket_id: '11', triggered_event: '{reply_sent:sent}', requester_email: 'siti@example.com', ticket_status: 'Open', note_type: 'public', public_comment: 'Hello', ...more },
  }); // prettier-ignore
  const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });

  it.each([
    ['the header', { 'x-postern-secret': secret }],
    ['the second secret', { 'x-postern-secret': 'another secret of it' }],
    ['a password', basic(`anybody:${secret}`)],
    ['a password of no user', basic(`:${secret}`)],
  ])('is believed by %s', (_, headers) =>
    expect(told(read(source, body(), headers, false))).toEqual(['ticket.replied']),
  );

  it.each([
    ['no header', {}],
    ['the user alone', basic(secret)],
    ['the secret as the user', basic(`${secret}:x`)],
    ['another scheme', { authorization: `Bearer ${secret}` }],
    ['a part of it', { 'x-postern-secret': secret.slice(1) }],
    ['a header that is wrong, whatever the password', { 'x-postern-secret': 'x', ...basic(`a:${secret}`) }],
    ['a header that came twice', { 'x-postern-secret': [secret, secret] }],
  ])('is not believed by %s', (_, headers) =>
    expect(() => read(source, body(), headers, false)).toThrow('bad-signature'),
  );

  it.each([
    ['{ticket_action:created}', {}, 'ticket.created'],
    ['{note_type:public}', {}, 'ticket.replied'],
    ['{status:{from:Open,to:Resolved}}', { ticket_status: 'Resolved' }, 'ticket.resolved'],
    ['{status:{from:2,to:5}}', { ticket_status: '5' }, 'ticket.closed'],
    ['{status:{from:Resolved,to:Open}}', {}, 'ticket.reopened'],
    ['{status:{from:Open,to:Pending}}', { ticket_status: 'Pending' }, 'ticket.updated'],
    ['{priority:{from:1,to:2}}', {}, 'unknown-type'],
    ['', {}, 'unknown-type'],
    ['', { postern_event: 'info_requested' }, 'ticket.info_requested'],
  ])('%s is understood', (triggered_event, more, type) =>
    expect(told(read(source, body({ triggered_event, ...more })))).toEqual([type]),
  );

  it('the names of the simple content are known, and bad copies cost nobody a mail', () => {
    const [one] = read(source, body({ requester_email: undefined, ticket_contact_email: 'siti@example.com', ticket_contact_name: 'Siti', ticket_cc_emails: '["budi@example.com", "broken@"]' })); // prettier-ignore
    expect(one).toMatchObject({
      event: { data: { requester: { name: 'Siti', email: { given: 'siti@example.com' } }, participants: [{ email: { given: 'budi@example.com' } }] } },
    }); // prettier-ignore
  });

  it('a fault is named where Freshdesk has it', () => {
    expect(errorsOf(() => read(source, body({ requester_email: 'no address' })))).toEqual([
      expect.objectContaining({ pointer: '/freshdesk_webhook/requester_email' }),
    ]);
    expect(errorsOf(() => read(source, { ticket: 1 }))).toEqual([
      expect.objectContaining({ pointer: '/freshdesk_webhook' }),
    ]);
  });
});

describe('Jira', () => {
  const source = sourceOf('jira');
  const reporter = { accountId: 'c-7', displayName: 'Siti', emailAddress: 'siti@example.com' };
  const comment = {
    id: '501',
    author: { accountId: 'a-1' },
    body: 'Hello',
    created: NOW,
    updated: NOW,
    jsdPublic: true,
  };
  const issue = (more: object = {}) => ({
    id: '10', key: 'DESK-10', fields: { summary: 'Late', status: { name: 'Open', statusCategory: { key: 'new' } }, reporter, updated: '2026-11-23T02:15:00.000+0000', ...more },
  }); // prettier-ignore
  const done = { name: 'Done', statusCategory: { key: 'done' } };
  const change = (...items: object[]) => ({ id: '77', items });
  const body = (webhookEvent: string, more: object = {}) => ({ timestamp: NOW, webhookEvent, issue: issue(), ...more });

  it.each([
    [body('jira:issue_created'), ['ticket.created']],
    [body('jira:issue_deleted'), ['ticket.deleted']],
    [body('comment_created', { comment }), ['ticket.replied']],
    [body('comment_created', { comment: { ...comment, visibility: { type: 'role' } } }), ['internal']],
    [body('comment_updated', { comment }), ['message.updated']],
    [body('comment_deleted', { comment }), ['message.retracted']],
    [body('jira:issue_updated', { comment }), ['ticket.replied']],
    [body('jira:issue_updated', { comment, issue_event_type_name: 'issue_comment_edited' }), ['message.updated']],
    [body('jira:issue_updated', { comment, issue_event_type_name: 'issue_comment_deleted' }), ['message.retracted']],
    [body('jira:issue_updated', { changelog: change({ field: 'labels' }) }), ['nothing-new']],
    [body('jira:issue_updated', { changelog: change({ field: 'summary' }) }), ['ticket.updated']],
    [body('jira:issue_updated', { changelog: change({ field: 'reporter' }) }), ['requester.changed']],
    [body('jira:issue_updated', { changelog: change({ field: 'status', fromString: 'Done' }) }), ['ticket.reopened']],
    [body('jira:issue_updated', { changelog: change({ field: 'status', fromString: 'New' }) }), ['ticket.updated']],
    [body('jira:issue_updated', { issue: issue({ status: done }), changelog: change({ field: 'status' }), comment }), ['ticket.replied', 'ticket.resolved']],
    [body('worklog_created'), ['unknown-type']],
    [body('comment_created', { comment, issue: issue({ reporter: { accountId: 'c-7' } }) }), ['no-address']],
  ])('case %# is understood', (given, types) => expect(told(read(source, given))).toEqual(types)); // prettier-ignore

  it("a comment and the issue's webhook beside it have one name, whatever the deliveries are called", () => {
    const ids = [
      body('comment_created', { comment }),
      body('jira:issue_updated', { comment, timestamp: NOW + 40 }),
    ].map((one, i) => read(source, one, { 'x-atlassian-webhook-identifier': `delivery-${i}` })[0]);
    expect(ids[0]).toMatchObject({ sourceEventId: (ids[1] as { sourceEventId: string }).sourceEventId });
    expect(ids[0]).toMatchObject({ bodyHash: (ids[1] as { bodyHash: string }).bodyHash });
  });

  it('a comment is as old as it says, so what happened to its issue in the same step is not older than it', () => {
    const [early, late] = [NOW - 200, NOW + 300].map((at) => new Date(at).toISOString().replace('Z', '+0000'));
    const step = { changelog: change({ field: 'status' }, { field: 'resolution' }) };
    const resolved = { issue: issue({ status: done, updated: new Date(NOW).toISOString() }), ...step };
    const [said] = read(source, body('comment_created', { comment: { ...comment, created: early, updated: early }, issue: issue({ status: done, updated: undefined }) }));
    const [solved] = read(source, body('jira:issue_updated', { ...resolved, timestamp: NOW + 100 }));
    expect(said).toMatchObject({ event: { timestamp: NOW - 200, data: { ticket: { updatedAt: NOW - 200 } } } });
    expect(solved).toMatchObject({ isInferred: false, event: { data: { ticket: { updatedAt: NOW } } } });
    const [edited] = read(source, body('comment_updated', { comment: { ...comment, created: early, updated: late } }));
    expect(edited).toMatchObject({ event: { data: { ticket: { updatedAt: NOW + 300 } } } });
  }); // prettier-ignore

  it('takes HMAC-SHA256 alone, up to half an hour late and five minutes early', () => {
    const signed = (algorithm: string, timestamp: number) => {
      const given = { ...body('jira:issue_created'), timestamp };
      const mac = createHmac(algorithm, secret).update(JSON.stringify(given)).digest('hex');
      try {
        return told(read(source, given, { 'x-hub-signature': `${algorithm}=${mac}` }, false))[0];
      } catch (error) {
        return (error as PosternError).code;
      }
    };
    const minutes = [0, 29, 31, -4, -6].map((late) => signed('sha256', NOW - late * 60_000));
    expect(minutes).toEqual(['ticket.created', 'ticket.created', 'bad-signature', 'ticket.created', 'bad-signature']);
    expect(signed('sha1', NOW)).toBe('bad-signature');
  });

  describe('of an issue that', () => {
    const typed = { customfield_10107: { requestType: { id: '3' }, currentStatus: {} } };
    const software = { project: { projectTypeKey: 'software' }, ...typed };
    const status = { changelog: change({ field: 'status' }) };
    const asking = sourceOf('jira', { api: { url: 'https://desk.example', authorization: 'Basic eDp5' } });
    const known = (desk: Source, what: string, more: object) =>
      read(desk, body(what, more)).map((one) => (one.kind === 'event' ? one.onlyIfKnown : one.reason));

    it('has a request type everything makes the ticket known', () => {
      for (const desk of [source, asking])
        for (const one of [
          body('jira:issue_created'),
          body('jira:issue_updated', status),
          body('comment_created', { comment }),
        ])
          expect(read(desk, { ...one, issue: issue(typed) })).toMatchObject([{ onlyIfKnown: false, missing: null }]);
    });

    it('has none, or is of another kind of project, nothing does but its deletion and a public word', () => {
      for (const fields of [{}, { customfield_10107: null }, { customfield_10107: 'desk/help' }]) {
        const at = { issue: issue(fields) };
        expect(known(source, 'jira:issue_created', at)).toEqual([true]);
        expect(known(source, 'jira:issue_updated', { ...at, ...status })).toEqual([true]);
        expect(known(source, 'comment_deleted', { ...at, comment })).toEqual([true]);
        expect(known(source, 'comment_updated', { ...at, comment: { ...comment, jsdPublic: false } })).toEqual([true]);
        expect(known(source, 'comment_created', { ...at, comment })).toEqual([false]);
        expect(known(source, 'jira:issue_deleted', at)).toEqual([false]);
      }
      // Where there are no customers every comment says that it is public.
      for (const desk of [source, asking]) {
        const at = { issue: issue(software) };
        expect(known(desk, 'comment_created', { ...at, comment })).toEqual(['internal']);
        expect(known(desk, 'jira:issue_created', at)).toEqual([true]);
        expect(known(desk, 'jira:issue_updated', { ...at, ...status })).toEqual([true]);
        expect(read(desk, body('comment_updated', { ...at, comment }))).toMatchObject([
          { event: { data: { message: { visibility: 'internal' } } } },
        ]);
      }
    });

    it('does not say what it is, Jira is asked before anybody is told', () => {
      for (const [what, more] of [
        ['jira:issue_created', {}],
        ['comment_created', { comment }],
      ] as const)
        expect(read(asking, body(what, more))).toMatchObject([
          { onlyIfKnown: false, missing: { lookUp: { ticketId: '10', isForRequester: true } } },
        ]);
      expect(read(asking, body('jira:issue_updated', status))).toMatchObject([{ onlyIfKnown: true, missing: null }]);
    });
  });

  it('who reported it is looked up by account, else by issue', () => {
    const api = { url: 'https://desk.example', authorization: 'Basic eDp5' };
    const given = (fields: object) =>
      read(sourceOf('jira', { api }), body('comment_created', { comment, issue: issue(fields) }));
    expect(given({ reporter: { accountId: 'c-7' } })).toMatchObject([
      { missing: { lookUp: { userId: 'c-7', ticketId: '10' } } },
    ]);
    expect(given({ reporter: undefined })).toMatchObject([{ missing: { lookUp: { ticketId: '10' } } }]);
  });
});

const settings = {
  signature: { header: 'X-Token', prefix: 'Bearer ' },
  type: { pointer: '/what', map: { answer: 'ticket.replied' } },
  ticket: { id: '/t/id', status: { value: 'open' }, updatedAt: '/t/at' },
  requester: { email: '/t/who~1mail', kind: { value: 'guest' } },
  participants: { each: '/cc', email: '/mail' },
  message: {
    id: '/m/0/id',
    public: '/m/0/shown',
    body: '/m/0/text',
    attachments: { each: '/m/0/files', name: '/n', url: '/u', size: '/s' },
  },
};

describe('a mapping', () => {
  const source = (more: object = {}) => sourceOf('mapping', { mapping: mappingSchema.parse({ ...settings, ...more }) });
  const body = (more: object = {}) => ({
    what: 'answer',
    t: { id: 8, at: 1_764_115_200, 'who/mail': 'siti@example.com' },
    cc: [{ mail: 'budi@example.com' }, { mail: 'broken@' }, 5],
    m: [{ id: 1, shown: true, text: 'Hello', files: [{ n: 'a.pdf', u: 'https://desk.example/a.pdf', s: '12' }] }],
    ...more,
  });

  it('finds each field, numbers as ids and unix seconds as times', () => {
    expect(read(source(), body())).toMatchObject([
      {
        event: {
          type: 'ticket.replied',
          data: {
            ticket: { id: '8', number: '8', status: 'open', updatedAt: 1_764_115_200_000 },
            requester: { email: { given: 'siti@example.com' } },
            participants: [{ email: { given: 'budi@example.com' } }],
            message: { id: '1', body: 'Hello', attachments: [{ name: 'a.pdf', size: 12 }] },
          },
        },
      },
    ]);
  });

  it('believes the secret in its header, with its prefix', () => {
    const given = (value?: string) => () =>
      read(source(), body(), value === undefined ? {} : { 'x-token': value }, false);
    expect(told(given(`Bearer ${secret}`)())).toEqual(['ticket.replied']);
    for (const value of [undefined, secret, `bearer ${secret}`, `Bearer ${secret}x`])
      expect(given(value)).toThrow('bad-signature');
  });

  it.each(
    ['sha1', 'sha256', 'sha512'].flatMap((algorithm) => ['hex', 'base64'].map((encoding) => [algorithm, encoding])),
  )('believes %s in %s', (algorithm, encoding) => {
    const mac = createHmac(algorithm!, secret)
      .update(JSON.stringify(body()))
      .digest(encoding as 'hex');
    const of = source({ signature: { header: 'x-mac', algorithm, encoding } });
    expect(told(read(of, body(), { 'x-mac': mac }, false))).toEqual(['ticket.replied']);
    expect(() => read(of, { ...body(), x: 1 }, { 'x-mac': mac }, false)).toThrow('bad-signature');
  });

  it('a fault is named where their body has it', () => {
    const wrong = body({ t: { id: {}, at: 'yesterday', 'who/mail': 'nobody' }, m: [{ id: 1, shown: true, files: [{ n: '', u: 'ftp:x' }] }] }); // prettier-ignore
    expect(errorsOf(() => read(source(), wrong)).map(({ pointer }) => pointer)).toEqual(
      expect.arrayContaining(['/t/id', '/t/at', '/t/who~1mail', '/m/0/files/0/u']),
    );
    expect(errorsOf(() => read(source(), {})).map(({ pointer }) => pointer)).toEqual(
      expect.arrayContaining(['/what', '/t/id']),
    );
  });

  it('an id of their own names the event, and nothing else does for one', () => {
    const idOf = (id: unknown) => {
      const [one] = read(source({ id: '/id' }), body({ id }));
      return one!.kind === 'event' && one!.sourceEventId;
    };
    expect(idOf(7)).toBe(idOf('7'));
    expect(idOf('')).not.toBe(idOf(null));
    for (const id of [{}, { a: 1 }, [], ['x'], true])
      expect(errorsOf(() => idOf(id))).toEqual([expect.objectContaining({ pointer: '/id' })]);
  });

  it.each([
    ['a pointer without its slash', { type: 'what' }],
    ['a field that is none of the native event', { severity: '/x' }],
    ['a message that does not say what is public', { message: { id: '/m/0/id' } }],
    ['an unknown algorithm', { signature: { header: 'x', algorithm: 'md5' } }],
    ['no signature', { signature: undefined }],
  ])('is refused with %s', (_, more) => expect(mappingSchema.safeParse({ ...settings, ...more }).success).toBe(false));

  it('cannot reach what every object inherits', () => {
    const of = source({ ticket: { ...settings.ticket, subject: '/constructor/name', url: '/__proto__/x' } });
    expect(read(of, body())).toMatchObject([{ event: { data: { ticket: { id: '8' } } } }]);
    expect((read(of, body())[0] as { event: { data: { ticket: object } } }).event.data.ticket).not.toHaveProperty(
      'subject',
      'Object',
    );
  });
});

describe('a source in the settings', () => {
  const problemsOf = (source: object) => {
    const problems: string[] = [];
    const limits = { defaultLocale: 'en', quietWindowSeconds: 30, allowPrivateHosts: [], allowHttp: false };
    readSources({ raw: [{ name: 'desk', ...source }], place: 'sources.yaml', ...limits }, problems);
    return problems;
  };

  it.each([
    ['a mapping without its fields', { adapter: 'mapping', secrets: [secret] }, 'mapping of desk is missing'],
    ['a mapping for another adapter', { adapter: 'zammad', secrets: [secret], mapping: settings }, 'is for adapter: mapping'],
    ['a short secret', { adapter: 'freshdesk', secrets: ['short'] }, 'at least 16'],
    ['a secret of another kind', { adapter: 'cloudevents', secrets: [secret] }, 'whsec_'],
    ['a pointer without its slash', { adapter: 'mapping', secrets: [secret], mapping: { ...settings, type: 'what' } }, 'mapping.type must be a JSON pointer'],
    ['an adapter that there is not', { adapter: 'otrs', secrets: [secret] }, 'must be one of standard, cloudevents'],
  ])('with %s says so', (_, source, problem) => expect(problemsOf(source)).toEqual([expect.stringContaining(problem)])); // prettier-ignore
});

describe("Jira's look-ups", () => {
  const native = {
    type: 'ticket.replied',
    timestamp: '2026-11-23T02:15:00Z',
    data: {
      ticket: { id: '10', number: 'DESK-10', status: 'open', updatedAt: '2026-11-23T02:15:00Z' },
      requester: { kind: 'guest', email: 'unknown@jira.invalid' },
    },
  };
  const ask = async (lookUp: LookUp, answers: Record<string, ApiAnswer>) => {
    const found = await jira.complete!(native, lookUp, {
      get: (path) => Promise.resolve(answers[path] ?? { ok: false, reason: 'gone', detail: 'status 404' }),
    });
    return found.ok ? found.native.data.requester : found.reason;
  };
  const user = '/rest/api/2/user?accountId=c%3A7';
  const issue = '/rest/api/2/issue/10?fields=reporter';
  const request = '/rest/servicedeskapi/request/10';
  const siti = {
    accountId: 'c:7',
    displayName: 'Siti',
    emailAddress: 'siti@example.com',
    locale: 'id_ID',
    timeZone: 'Asia/Jakarta',
  };
  const person = { kind: 'guest', email: 'siti@example.com', name: 'Siti', locale: 'id_ID', timeZone: 'Asia/Jakarta' };

  it.each<[string, LookUp, Record<string, ApiAnswer>, unknown]>([
    ['by account', { userId: 'c:7' }, { [user]: { ok: true, body: siti } }, person],
    ['by issue', { ticketId: '10' }, { [issue]: { ok: true, body: { fields: { reporter: siti } } } }, person],
    ['by issue and account', { ticketId: '10' }, { [issue]: { ok: true, body: { fields: { reporter: { accountId: 'c:7' } } } }, [user]: { ok: true, body: siti } }, person],
    ['who shows no address', { userId: 'c:7' }, { [user]: { ok: true, body: { accountId: 'c:7' } } }, 'ignored'],
    ['of whom nothing is left', { userId: 'c:7' }, {}, 'ignored'],
    ['of an issue without one', { ticketId: '10' }, { [issue]: { ok: true, body: { fields: {} } } }, 'ignored'],
    ['of a request', { ticketId: '10', isForRequester: true }, { [request]: { ok: true, body: { issueId: '10', reporter: siti } } }, person],
    ['of a request by account', { ticketId: '10', userId: 'c:7', isForRequester: true }, { [request]: { ok: true, body: {} }, [user]: { ok: true, body: siti } }, person],
    ['of what is no request', { ticketId: '10', userId: 'c:7', isForRequester: true }, { [user]: { ok: true, body: siti } }, 'ignored'],
    ['of what may be a request', { ticketId: '10', isForRequester: true }, { [request]: { ok: false, reason: 'refused', detail: 'status 403' } }, 'refused'],
    ['while Jira is away', { userId: 'c:7' }, { [user]: { ok: false, reason: 'unavailable', detail: 'status 503' } }, 'unavailable'],
    ['with a wrong token', { ticketId: '10' }, { [issue]: { ok: false, reason: 'refused', detail: 'status 401' } }, 'refused'],
  ])('find a reporter %s', async (_, lookUp, answers, found) => expect(await ask(lookUp, answers)).toEqual(found)); // prettier-ignore

  it.each<[string, Record<string, ApiAnswer>]>([
    ['the request', { [request]: { ok: true, body: { reporter: siti } } }],
    ['the user', { [request]: { ok: true, body: { reporter: { accountId: 'c:7' } } }, [user]: { ok: true, body: siti } }],
  ])('show by %s whose the comment is, which its own webhook leaves out', async (_, answers) => {
    const source = sourceOf('jira', { api: { url: 'https://desk.example', authorization: 'Basic eDp5' } });
    const kindOf = async (author: object) => {
      const comment = { id: '501', author, body: 'Hello', created: NOW, jsdPublic: true };
      const issue = { id: '10', key: 'DESK-10', fields: { summary: 'Late' } };
      const [one] = read(source, { timestamp: NOW, webhookEvent: 'comment_created', issue, comment });
      const { native: asked, lookUp } = one!.kind === 'event' ? one!.missing! : ({} as never);
      const found = await jira.complete!(asked, lookUp, {
        get: (path) => Promise.resolve(answers[path] ?? { ok: false, reason: 'gone', detail: 'status 404' }),
      });
      return found.ok && (found.native.data.message as unknown as { author: { kind: string } }).author.kind;
    };
    expect(await kindOf({ accountId: 'c:7', accountType: 'atlassian' })).toBe('requester');
    expect(await kindOf({ accountId: 'c:8', accountType: 'customer' })).toBe('participant');
    expect(await kindOf({ accountId: 'a:1', accountType: 'atlassian' })).toBe('agent');
    expect(await kindOf({})).toBe('agent');
  }); // prettier-ignore
});

it('a time without a zone is UTC, wherever the gateway runs', () => {
  const zone = process.env.TZ;
  process.env.TZ = 'Asia/Jakarta';
  const same = ['2026-11-23T02:15:00', '2026-11-23 02:15:00', '2026-11-23T02:15:00.000Z', '2026-11-23T09:15:00+07:00'];
  const words = ['Nov 23, 2026 02:15 AM', '23 Nov 2026 02:15', 'Mon, 23 Nov 2026 02:15:00 GMT', 'Mon Nov 23 2026 09:15:00 GMT+0700 (WIB)'];
  expect([...same, ...words].map(moment)).toEqual(Array(8).fill('2026-11-23T02:15:00.000Z'));
  expect([moment('2026-11-23'), moment('soon')]).toEqual(['2026-11-23T00:00:00.000Z', undefined]);
  process.env.TZ = zone;
  if (zone === undefined) delete process.env.TZ;
}); // prettier-ignore

it('no text, however long and odd, keeps an adapter busy', () => {
  const odd = ['<a', ' ', '\t ', '`', '[', '{from:', '+', '"', ',', '%', '\\', '**', '\n '].map((one) =>
    `x${one.repeat(Math.floor(90_000 / one.length))}x`.slice(0, 90_000),
  );
  const from = performance.now();
  for (const words of odd) {
    const webhook = {
      ticket_id: '1',
      requester_email: 'siti@example.com',
      note_type: 'public',
      postern_event: 'replied',
    };
    read(sourceOf('freshdesk'), { freshdesk_webhook: { ...webhook, public_comment: words, triggered_event: words } });
    read(sourceOf('freshdesk'), {
      freshdesk_webhook: { ...webhook, public_comment: 'Hello', ticket_cc_emails: words },
    });
    const text = { type: 'text', text: words, marks: [{ type: 'strong' }, { type: 'link', attrs: { href: words } }] };
    const cell = { type: 'tableCell', content: [{ type: 'paragraph', content: [text] }] };
    const document = { type: 'doc', content: [{ type: 'table', content: [{ type: 'tableRow', content: [cell] }] }] };
    read(sourceOf('jira'), {
      timestamp: NOW,
      webhookEvent: 'comment_created',
      issue: {
        id: '1',
        key: 'D-1',
        fields: { reporter: { emailAddress: 'siti@example.com' }, status: { name: words } },
      },
      comment: { id: '1', jsdPublic: true, body: { type: 'doc', content: [text] } },
    });
    adfAsMarkdown(document as unknown as JsonValue);
    const event = { specversion: '1.0', id: '1', source: '/', type: `x.${words}`, datacontenttype: words };
    expect(() => readWebhook(sourceOf('cloudevents'), { headers: {}, rawBody: Buffer.from(JSON.stringify(event)), mediaType: 'application/cloudevents+json', now: NOW }, true)).toThrow('invalid-event'); // prettier-ignore
  }
  // Some milliseconds for each; what looks back and forth takes half a minute for one.
  expect(performance.now() - from).toBeLessThan(8000);
});

describe("a trigger of Zendesk's", () => {
  const body = (event: string, comment: object | null) => ({
    postern: 'zendesk-trigger',
    event,
    ticket: { id: '8', status: 'Open', updated_at: '2026-11-23T02:15Z' },
    requester: { email: 'siti@example.com' },
    comment,
  });
  const marked = (is_public: unknown, id = '91') => ({ id, body: 'SECRET NOTE', is_public, author_role: 'Agent' });
  const says = (event: string, comment: object | null) => told(read(sourceOf('zendesk'), body(event, comment)));

  it('tells a reply that says that it is public, as a placeholder writes it or as JSON', () =>
    expect([true, 'true'].map((mark) => says('replied', marked(mark)))).toEqual([
      ['ticket.replied'],
      ['ticket.replied'],
    ]));

  it.each([undefined, null, false, 'false', '', 'True', 'TRUE', ' true', 1, '1', 'yes', 'public', {}, [true]])(
    'takes one marked %j for an internal note, with an id or without',
    (mark) => {
      for (const event of ['created', 'replied', 'info_requested'])
        for (const id of ['91', '']) expect(says(event, marked(mark, id))).toEqual(['internal']);
      // The state stays news, of a ticket that is known, and the note is not in it.
      for (const event of ['resolved', 'closed', 'reopened', 'updated'])
        for (const id of ['91', '']) {
          const [one] = read(sourceOf('zendesk'), body(event, marked(mark, id)));
          expect(one).toMatchObject({ onlyIfKnown: true, event: { type: `ticket.${event}` } });
          expect(JSON.stringify(one)).not.toMatch(/SECRET NOTE|"91"/);
        }
    },
  );

  it.each([
    ['siti@example.com', '', 'requester'],
    ['SITI@example.com', 'Admin', 'requester'],
    ['siti@example.com', 'Agent', 'requester'],
    ['rina@desk.example', 'Agent', 'agent'],
    ['rina@desk.example', '', 'agent'],
    ['budi@example.com', 'End-user', 'participant'],
    ['', 'end-user', 'requester'],
    ['', 'Admin', 'agent'],
  ])('by %j in the role %j has the words of: %s', (author_email, author_role, kind) =>
    expect(read(sourceOf('zendesk'), body('replied', { ...marked('true'), author_email, author_role }))).toMatchObject([
      { event: { data: { message: { author: { kind } } } } },
    ]),
  );

  it('by nobody, or where it may be a reply that we wrote, is refused with its place', () => {
    const by = (author_email: unknown, writer: Source['writer'] = null) =>
      errorsOf(() => read(sourceOf('zendesk', { writer }), body('replied', { ...marked('true'), author_role: '', author_email }))); // prettier-ignore
    expect(['', null, undefined].map((email) => by(email).map(({ pointer }) => pointer))).toEqual(
      Array.from({ length: 3 }, () => ['/comment/author_email']),
    );
    expect(by('rina@desk.example', 'zendesk')).toMatchObject([{ pointer: '/comment' }]);
  });

  it('tells a state with a public comment of any ticket', () =>
    expect(read(sourceOf('zendesk'), body('resolved', marked('true')))).toMatchObject([
      { onlyIfKnown: false, event: { data: { message: { id: '91' } } } },
    ]));

  it('takes a reply without a comment for an internal note, and a state without one for what it is', () =>
    expect([says('replied', null), says('resolved', null)]).toEqual([['internal'], ['ticket.resolved']]));
});

describe("an event of Zendesk's", () => {
  const api = { url: 'https://desk.example', authorization: 'Basic eDp5' };
  const source = sourceOf('zendesk', { api });
  const comment = (is_public: unknown) => ({
    id: '91',
    body: 'SECRET NOTE',
    is_public,
    author: { id: '3', is_staff: true },
  });
  const body = (kind: string, ticket: object, event: object = {}) => ({
    id: 'e-1',
    type: `zen:event-type:ticket.${kind}`,
    time: '2026-11-23T02:15:00Z',
    detail: { id: '8', requester_id: '7', status: 'SOLVED', subject: 'SECRET SUBJECT', updated_at: '2026-11-23T02:15:00Z', ...ticket },
    event,
  }); // prettier-ignore
  const solved = { previous: 'OPEN', current: 'SOLVED' };

  it('that archives, removes or brings back a ticket is no news of its state', () => {
    for (const [previous, current] of [
      ['CLOSED', 'ARCHIVED'],
      ['ARCHIVED', 'SCRUBBED'],
      ['SOLVED', 'DELETED'],
      ['DELETED', 'OPEN'],
    ]) {
      const found = read(source, body('status_changed', { is_public: true, status: current }, { previous, current }));
      const status = current === 'OPEN' ? 'open' : 'closed';
      expect(found).toMatchObject([{ event: { type: 'ticket.updated', data: { ticket: { status } } } }]);
    }
  });

  const marks = [undefined, null, false, 'false', '', 'true', 1, 'yes', {}, [true]];

  it.each(marks)(
    'of a ticket that is public as %j passes only what takes something away, and makes no ticket',
    (mark) => {
      const ticket = { is_public: mark };
      for (const [kind, event] of [
        ['created', {}],
        ['comment_added', { comment: comment(true) }],
        ['comment_added', { comment: comment(false) }],
        ['status_changed', solved],
        ['status_changed', { previous: 'SOLVED', current: 'CLOSED' }],
        ['status_changed', { previous: 'CLOSED', current: 'OPEN' }],
        ['subject_changed', {}],
      ] as const)
        expect([kind, told(read(source, body(kind, ticket, event)))]).toEqual([kind, ['internal']]);
      for (const [kind, type] of [
        ['comment_made_private', 'message.retracted'],
        ['comment_redacted', 'message.retracted'],
        ['requester_changed', 'requester.changed'],
      ] as const) {
        const found = read(source, body(kind, ticket, { comment: comment(false) }));
        expect(found).toMatchObject([{ onlyIfKnown: true, missing: { onlyIfKnown: true }, event: { type } }]);
        expect(JSON.stringify(found)).not.toContain('SECRET');
      }
      // What is left of it says nothing, and keeps the ticket away.
      for (const kind of ['soft_deleted', 'permanently_deleted'])
        expect(told(read(source, body(kind, ticket)))).toEqual(['ticket.deleted']);
    },
  );

  it.each(marks)('about a comment that is public as %j is internal, whatever the ticket is', (mark) =>
    expect(told(read(source, body('comment_added', { is_public: true }, { comment: comment(mark) })))).toEqual(['internal'])); // prettier-ignore

  it('that takes something away needs neither a requester nor an API', () => {
    for (const one of [source, sourceOf('zendesk')])
      for (const requester_id of ['7', null])
        for (const kind of ['comment_redacted', 'soft_deleted']) {
          const given = body(kind, { is_public: true, requester_id }, { comment: comment(false) });
          expect(read(one, given)).toMatchObject([{ kind: 'event', namesNobody: true }]);
        }
    expect(told(read(source, body('requester_changed', { requester_id: null })))).toEqual(['no-address']);
  });

  it('of a public ticket is told', () => {
    const of = (kind: string, event = {}) => told(read(source, body(kind, { is_public: true }, event)))[0];
    expect([of('created'), of('comment_added', { comment: comment(true) }), of('status_changed', solved)]).toEqual([
      'ticket.created',
      'ticket.replied',
      'ticket.resolved',
    ]);
  });

  it.each([
    [true, true],
    [false, false],
    [undefined, false],
  ])('about a comment that the API calls public as %j by then is told: %j', async (isPublic, isTold) => {
    const native = {
      type: 'ticket.replied',
      timestamp: '2026-11-23T02:15:00Z',
      data: {
        ticket: { id: '8', number: '8', status: 'open', updatedAt: '2026-11-23T02:15:00Z' },
        requester: { kind: 'guest', email: 'unknown@zendesk.invalid' },
        message: { id: '91', body: 'Hello' },
      },
    };
    const found = await zendesk.complete!(
      native,
      { userId: '7', ticketId: '8' },
      {
        get: (path) => {
          const answers: JsonValue[] = [
            { user: { id: 7, email: 'siti@example.com' } },
            { comments: [{ id: 91, body: 'Hello', ...(isPublic !== undefined && { public: isPublic }) }] },
          ];
          return Promise.resolve({ ok: true, body: answers[path.includes('/users/') ? 0 : 1]! });
        },
      },
    );
    expect(found.ok ? 'told' : found.detail).toBe(isTold ? 'told' : 'internal');
  });

  it('is told whatever of what the API said does not fit', () => {
    const file = (name: string) => ({ name, url: 'https://files.example/1' });
    const message = { id: '91', author: { kind: 'agent', name: 'R'.repeat(300) }, body: 'Hello', visibility: 'public' };
    const event = completedOf(
      {
        type: 'ticket.replied',
        timestamp: '2026-11-23T02:15:00Z',
        data: {
          ticket: { id: '8', number: '8', status: 'open', updatedAt: '2026-11-23T02:15:00Z' },
          requester: { kind: 'guest', email: 'siti@example.com', name: 'S'.repeat(300) },
          participants: [{ kind: 'guest', email: 'broken@' }, { kind: 'guest', email: 'budi@example.com' }],
          message: { ...message, attachments: [file(`${'x'.repeat(300)}.pdf`), { name: 'odd', url: 'nonsense:' }, ...Array.from({ length: 60 }, () => file('a.pdf'))] },
          history: [{ ...message, id: '1', body: 'x'.repeat(200_001) }, { ...message, id: '2', attachments: [file('y'.repeat(300))] }, ...Array.from({ length: 250 }, (_, n) => ({ ...message, id: `h-${n}` }))],
        },
      },
      zendesk,
    ); // prettier-ignore
    const { requester, participants, message: own, history } = event.data;
    expect([requester.name?.length, own?.author.name?.length, participants?.map(({ email }) => email.given)]).toEqual([200, 200, ['budi@example.com']]); // prettier-ignore
    expect(own?.attachments).toHaveLength(50);
    expect(own?.attachments?.[0]?.name).toMatch(/^x{251}\.pdf$/);
    expect([history.length, history.at(-1)?.id]).toEqual([200, 'h-249']);
  });

  describe('about a comment among many', () => {
    const native = {
      type: 'ticket.replied',
      timestamp: '2026-11-23T02:15:00Z',
      data: {
        ticket: { id: '8', number: '8', status: 'open', updatedAt: '2026-11-23T02:15:00Z' },
        requester: { kind: 'guest', email: 'unknown@zendesk.invalid' },
        message: { id: '91', body: 'UNCHECKED' },
      },
    };
    /** What comes of it where the comments answer so, one question after the other; with the sizes that were asked for. */
    async function complete(...answers: (JsonValue | ApiAnswer)[]) {
      const asked: (string | null)[] = [];
      const get = (path: string): Promise<ApiAnswer> => {
        const { pathname, searchParams } = new URL(path, 'https://desk.example');
        if (pathname.includes('/users/')) return Promise.resolve({ ok: true, body: { user: { id: 7, email: 'siti@example.com' } } }); // prettier-ignore
        if (!pathname.endsWith('/comments.json')) return Promise.resolve({ ok: true, body: { users: [] } });
        // By the cursor: the older way of sorting is not heeded then.
        expect([searchParams.get('sort'), searchParams.has('sort_order')]).toEqual(['-created_at', false]);
        asked.push(`${searchParams.get('page[size]')} ${searchParams.get('page[after]') ?? ''}`.trim());
        const given = answers.shift()!;
        return Promise.resolve(typeof given === 'object' && given && 'ok' in given ? (given as ApiAnswer) : { ok: true, body: given }); // prettier-ignore
      };
      const found = await zendesk.complete!(native, { userId: '7', ticketId: '8' }, { get });
      expect(JSON.stringify(found)).not.toContain('UNCHECKED');
      const told = found.ok && [
        (found.native.data.message as { body?: string }).body,
        found.native.data.history!.length,
      ];
      return { told: found.ok ? told : found.reason, asked };
    }
    const own = { id: 91, body: 'Hello', public: true };
    const others = [1, 2, 3].map((n) => ({ id: n, body: 'Other', public: true }));
    const tooLarge: ApiAnswer = { ok: false, reason: 'unavailable', detail: 'too-large', isTooLarge: true };

    it('is looked for on further pages', async () =>
      expect(
        await complete({ comments: others, meta: { has_more: true, after_cursor: 'c1' } }, { comments: [own] }),
      ).toEqual({ told: ['Hello', 3], asked: ['100', '100 c1'] }));

    it('that are too many for an answer is told with fewer of them, at last alone', async () => {
      expect(await complete(tooLarge, { comments: [own, others[0]!] })).toEqual({ told: ['Hello', 1], asked: ['100', '20'] });
      expect(await complete(tooLarge, tooLarge, tooLarge, { comments: [own] })).toEqual({ told: ['Hello', 0], asked: ['100', '20', '4', '1'] });
      expect((await complete(tooLarge, tooLarge, tooLarge, tooLarge)).told).toBe('unavailable');
    }); // prettier-ignore

    it('is not told unless it was seen there', async () => {
      expect((await complete({ comments: others, meta: { has_more: false } })).told).toBe('unavailable');
      expect((await complete({ nonsense: [] })).told).toBe('unavailable');
      expect((await complete({ ok: false, reason: 'gone', detail: 'status 404' })).told).toBe('ignored');
    });
  });
});

describe("a webhook of Zammad's", () => {
  const body = (internal: unknown, state: string) => ({
    ticket: { id: 81, number: '10081', state, updated_at: '2026-11-23T02:15:00Z', article_count: 2, customer: { email: 'siti@example.com' } },
    article: { id: 104, sender: 'Agent', body: 'SECRET NOTE', ...(internal === undefined ? {} : { internal }) },
  }); // prettier-ignore

  it.each([undefined, null, true, 'false', 'true', '', 0, 1, {}, []])(
    'with an article that is internal as %j says what the ticket says, and nothing of the article',
    (internal) => {
      for (const [state, type] of [
        ['open', 'ticket.updated'],
        ['closed', 'ticket.resolved'],
        ['merged', 'ticket.closed'],
        ['removed', 'ticket.deleted'],
      ] as const) {
        const [one] = read(sourceOf('zammad'), body(internal, state));
        const [bare] = read(sourceOf('zammad'), { ...body(false, state), article: {} });
        expect(one).toEqual(bare);
        expect(one).toMatchObject({ onlyIfKnown: state !== 'removed', isInferred: true, event: { type } });
        expect(JSON.stringify(one)).not.toMatch(/SECRET NOTE|104/);
      }
    },
  );

  it('removes a ticket whoever it was of', () => {
    const of = (state: string) => {
      const { ticket } = body(true, state);
      return read(sourceOf('zammad'), { ticket: { ...ticket, customer: null }, article: {} });
    };
    expect(of('removed')).toMatchObject([{ namesNobody: true, event: { type: 'ticket.deleted' } }]);
    expect(told(of('closed'))).toEqual(['no-address']);
  });

  it('with a public article makes the ticket known', () =>
    expect(read(sourceOf('zammad'), body(false, 'open'))).toMatchObject([
      { onlyIfKnown: false, createsIfUnknown: false, event: { type: 'ticket.replied' } },
    ]));

  it("with a customer's public article makes the ticket, if nobody knows it", () => {
    const { ticket, article } = body(false, 'open');
    expect(read(sourceOf('zammad'), { ticket, article: { ...article, sender: 'Customer' } })).toMatchObject([
      { createsIfUnknown: true, event: { type: 'ticket.replied' } },
    ]);
  });
});
