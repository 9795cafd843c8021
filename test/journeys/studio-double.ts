/**
 * A double of the studio's API for journeys in a browser: in memory, with the shipped words, the real renderer and real
 * passkeys. What a journey wants to see (a conflict, a broken connection, an empty board) it sets here.
 */
import cookie from '@fastify/cookie';
import multipart from '@fastify/multipart';
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  type WebAuthnCredential,
} from '@simplewebauthn/server';
import { fastify, type FastifyReply } from 'fastify';
import { readFileSync, existsSync, readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { textDirection } from '../../src/platform/locale.js';
import { isStudioPage, StudioFiles } from '../../src/studio/studio-files.js';
import { addStudioHeaders, nonceOf } from '../../src/studio/studio-headers.js';
import type { Board, Hit } from '../../src/studio/words-board.js';
import { helpersOf, vocabularyOf, wordsTitles } from '../../src/studio/words-vocabulary.js';
import { problemsIn } from '../../src/studio/problems.js';
import { loadBrand, type Brand } from '../../src/templates/brand.js';
import { compileMail, isCompiled } from '../../src/templates/compile.js';
import type { Problem } from '../../src/templates/mustache.js';
import { wordDiff } from '../../src/templates/word-diff.js';
import { readSamples } from '../../src/templates/samples.js';
import {
  layoutVocabulary,
  templateContext,
  templateLayouts,
  wordsVocabulary,
  type TemplateKey,
} from '../../src/templates/values.js';
import { isWordsKey, wordsKeys } from '../../src/templates/words-texts.js';
import { frameParts, frameShape, readWords, wordsShape } from '../../src/templates/words.js';

const templates = join(packageRoot, 'templates');
const TOKEN = 'the-one-invitation';

interface Draft {
  text: string;
  version: number;
  base: string;
  state: 'draft' | 'submitted' | 'scheduled';
  by: string;
  at: string;
  note: string;
  publishAt: string | null;
}

interface Publication {
  publication: string;
  revision: string;
  kind: 'publish' | 'rollback' | 'schedule';
  at: string;
  by: string;
  why: string;
  text: string;
}

export interface StudioDouble {
  url: string;
  /** Opens `/studio/first` or `/studio/invitation`. */
  token: string;
  me: { id: string; name: string; email: string; roles: { brand: string; role: string }[] };
  settings: { secondPerson: boolean; oidc: boolean };
  /** Everybody comes in without a passkey. */
  isOpen: boolean;
  /** Nothing is sent back: the connection is cut. */
  isCut: boolean;
  drafts: Map<string, Draft>;
  publications: Map<string, Publication[]>;
  /** Texts of which a newer version was shipped than their edit began from. */
  shippedChanged: Set<string>;
  alarms: Board['alarms'];
  /** What was asked for, `PUT drafts/ticket-replied/de`, in order. */
  asked: string[];
  sentTests: unknown[];
  isWithoutMails: boolean;
  reset(): void;
  close(): Promise<void>;
}

const locales = readdirSync(join(templates, 'content', 'ticket-replied'))
  .map((name) => name.replace('.hbs', ''))
  .sort();
const names = new Intl.DisplayNames('en', { type: 'language' });

export async function startStudioDouble(): Promise<StudioDouble> {
  const files = new StudioFiles();
  const server = fastify({ forceCloseConnections: true });
  addStudioHeaders(server);
  await server.register(cookie);
  await server.register(multipart);
  const passkeys = new Map<string, WebAuthnCredential>();
  let challenge = '';
  const double: StudioDouble = {
    ...{ url: '', token: TOKEN, isOpen: true, isCut: false, isWithoutMails: false },
    me: { id: 'usr_1', name: 'Ayu Pratiwi', email: 'ayu@acme.example', roles: [{ brand: '*', role: 'admin' }] },
    settings: { secondPerson: false, oidc: true },
    ...{ drafts: new Map(), publications: new Map(), shippedChanged: new Set(), alarms: [], asked: [], sentTests: [] },
    reset: () => {
      Object.assign(double, { isOpen: true, isCut: false, isWithoutMails: false, alarms: [] });
      Object.assign(double, { asked: [], sentTests: [], settings: { secondPerson: false, oidc: true } });
      double.me.roles = [{ brand: '*', role: 'admin' }];
      for (const one of [double.drafts, double.publications, double.shippedChanged]) one.clear();
    },
    close: () => server.close(),
  };

  server.addHook('onRequest', async (request, reply) => {
    const path = request.url.replace('/studio/api/', '');
    if (request.url.startsWith('/studio/api/')) double.asked.push(`${request.method} ${path}`);
    if (double.isCut && request.url.startsWith('/studio/api/')) {
      request.raw.socket.destroy();
      return reply.hijack();
    }
    const isAnybody = /^\/studio\/api\/(?:sign-in|invitation|passkeys\/(?:sign-in|register)\/)/.test(request.url);
    const isIn = double.isOpen || request.cookies['session'] === 'in';
    if (request.url.startsWith('/studio/api/') && !isAnybody && !isIn)
      return refuse(reply, 401, 'sign-in-required', 'Sign in first.');
    const isUnsafe = !['GET', 'HEAD'].includes(request.method);
    if (isUnsafe && !isAnybody && request.headers['x-studio-token'] !== 'form-token')
      return refuse(reply, 403, 'forbidden', 'Send the token of this session in x-studio-token.');
    return undefined;
  });

  server.get('/studio/assets/:name', (request, reply) => {
    const { name } = request.params as { name: string };
    const file = files.file(name, String(request.headers['accept-encoding'] ?? ''));
    if (!file) return refuse(reply, 404, 'not-found', 'There is no such file.');
    if (file.encoding) void reply.header('content-encoding', file.encoding);
    return reply.header('content-type', file.type).send(file.content);
  });
  const page = (request: Parameters<typeof nonceOf>[0], reply: FastifyReply) =>
    reply
      .status(isStudioPage(request.url.split('?', 1)[0]!) ? 200 : 404)
      .type('text/html; charset=utf-8')
      .send(files.page(nonceOf(request)));
  server.get('/studio', page);
  server.get('/studio/*', page);

  // People
  const person = () => ({
    ...double.me,
    passkeys: passkeys.size || 1,
    oidc: false,
    blocked: false,
    createdAt: ago(90),
  });
  server.get('/studio/api/sign-in', () => ({ passkeys: true, oidc: double.settings.oidc }));
  server.get('/studio/api/me', () => ({
    ...double.me,
    token: 'form-token',
    settings: { ...double.settings, sources: ['default'], ...brandSettings },
  }));
  server.post('/studio/api/invitation', (request, reply) => {
    const { token } = request.body as { token: string };
    if (token !== TOKEN) return refuse(reply, 410, 'invitation-unusable', 'This link was used, or it is too old.');
    const isFirst = request.headers.referer?.includes('/first') ?? true;
    return {
      ...{ kind: isFirst ? 'first' : 'invitation', email: isFirst ? null : double.me.email },
      ...{ name: isFirst ? '' : double.me.name, roles: double.me.roles, expiresAt: ahead(1) },
    };
  });
  const rpID = 'localhost';
  server.post('/studio/api/passkeys/register/options', async () => {
    const options = await generateRegistrationOptions({
      ...{ rpID, rpName: 'Postern', userName: double.me.email },
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    });
    ({ challenge } = options);
    return options;
  });
  server.post('/studio/api/passkeys/register/verify', async (request, reply) => {
    const { response } = request.body as { response: RegistrationResponseJSON };
    const found = await verifyRegistrationResponse({
      ...{ response, expectedChallenge: challenge, expectedOrigin: double.url, expectedRPID: rpID },
    });
    if (!found.verified) return refuse(reply, 401, 'sign-in-refused', 'That did not work.');
    const { credential } = found.registrationInfo;
    passkeys.set(credential.id, credential);
    return reply.setCookie('session', 'in', { path: '/', httpOnly: true }).send({ id: double.me.id });
  });
  server.post('/studio/api/passkeys/sign-in/options', async () => {
    const options = await generateAuthenticationOptions({ rpID, userVerification: 'required' });
    ({ challenge } = options);
    return options;
  });
  server.post('/studio/api/passkeys/sign-in/verify', async (request, reply) => {
    const { response } = request.body as { response: AuthenticationResponseJSON };
    const credential = passkeys.get(response.id);
    const isRight =
      credential &&
      (await verifyAuthenticationResponse({
        ...{ response, credential, expectedChallenge: challenge, expectedOrigin: double.url, expectedRPID: rpID },
      }));
    if (!isRight || !isRight.verified)
      return refuse(reply, 401, 'sign-in-refused', 'That did not work. Try again, or use another passkey.');
    return reply.setCookie('session', 'in', { path: '/', httpOnly: true }).send({ id: double.me.id });
  });
  server.post('/studio/api/sign-out', (_request, reply) =>
    reply.clearCookie('session', { path: '/' }).status(204).send(),
  );
  server.get('/studio/api/sessions', () => [
    { id: 'ses_1', browser: 'Chrome on Linux', current: true, createdAt: ago(0.1), lastUsedAt: ago(0) },
    { id: 'ses_2', browser: 'Safari on iPhone', current: false, createdAt: ago(0.4), lastUsedAt: ago(0.2) },
  ]);
  server.delete('/studio/api/sessions/:id', (_request, reply) => reply.status(204).send());
  server.get('/studio/api/passkeys', () => [
    { id: 'pky_1', name: 'Chrome on Linux', backedUp: false, createdAt: ago(90), lastUsedAt: ago(0.1) },
    { id: 'pky_2', name: 'iPhone', backedUp: true, createdAt: ago(60), lastUsedAt: null },
  ]);
  server.patch('/studio/api/passkeys/:id', (_request, reply) => reply.status(204).send());
  server.delete('/studio/api/passkeys/:id', (_request, reply) => reply.status(204).send());
  server.get('/studio/api/people', () => ({
    people: [
      person(),
      {
        ...{
          id: 'usr_2',
          name: 'Jonas Weber',
          email: 'jonas@acme.example',
          roles: [{ brand: '*', role: 'publisher' }],
        },
        ...{ passkeys: 2, oidc: true, blocked: false, createdAt: ago(40) },
      },
      {
        ...{ id: 'usr_3', name: 'Mina Sato', email: 'mina@acme.example', roles: [{ brand: 'sample', role: 'editor' }] },
        ...{ passkeys: 1, oidc: false, blocked: true, createdAt: ago(20) },
      },
    ],
    invitations: [
      {
        ...{ id: 'inv_1', email: 'lea@acme.example', name: 'Léa Martin', roles: [{ brand: '*', role: 'editor' }] },
        ...{ createdAt: ago(1), expiresAt: ahead(6) },
      },
    ],
  }));
  server.post('/studio/api/people/invitations', () => ({ id: 'inv_2', mailed: true }));
  server.delete('/studio/api/people/invitations/:id', (_request, reply) => reply.status(204).send());
  server.patch('/studio/api/people/:id', (_request, reply) => reply.status(204).send());
  server.delete('/studio/api/people/:id', (_request, reply) => reply.status(204).send());
  server.get('/studio/api/audit', () => ({
    items: [
      entry('aud_4', 'words.published', 'ticket-replied/de', 'rev_2; Friendlier'),
      entry('aud_3', 'brand.edited', 'default', 'version 3; light, contact'),
      entry('aud_2', 'person.invited', 'inv_1', '*:editor'),
      entry('aud_1', 'person.signed-in', 'usr_1', 'passkey'),
    ],
    nextCursor: null,
  }));

  // Brands
  const brands = new Map(['default', 'sample'].map((key) => [key, { version: 0, look: loadBrand(templates, key) }]));
  const brandView = (key: string) => {
    const { version, look } = brands.get(key)!;
    const { logo: _, ...settings } = look;
    return {
      ...{ ...settings, key, version, logo: null, sources: ['default'], senderDomains: ['postern.example'] },
      history: version ? [{ version, at: ago(0), usedFrom: ago(0), by: { id: 'usr_1', name: double.me.name } }] : [],
    };
  };
  server.get('/studio/api/brands', () => [...brands.keys()].map(brandView));
  server.put('/studio/api/brands/:key', (request) => {
    const { key } = request.params as { key: string };
    const { version, ...settings } = request.body as { version: number } & Partial<Brand>;
    brands.set(key, { version: version + 1, look: { ...brands.get(key)!.look, ...settings } });
    return brandView(key);
  });

  // Words
  const published = (key: string, locale: string) =>
    double.publications.get(`${key}/${locale}`)?.find(({ kind }) => kind !== 'schedule');
  const textOf = (key: string, locale: string, what: string): string => {
    const place = `${key}/${locale}`;
    if (what === 'draft') return double.drafts.get(place)?.text ?? textOf(key, locale, 'published');
    if (what === 'published') return published(key, locale)?.text ?? shipped(key, locale);
    return double.publications.get(place)?.find(({ revision }) => revision === what)?.text ?? shipped(key, locale);
  };
  server.get('/studio/api/board', (): Board => {
    const cells: Board['cells'] = {};
    const counts: Board['counts'] = {};
    for (const key of wordsKeys)
      for (const locale of locales) {
        const place = `${key}/${locale}`;
        const draft = double.drafts.get(place);
        const isFailing = double.alarms.some((alarm) => `${alarm.key}/${alarm.locale}` === place);
        const isMissing = shipped(key, locale) === '';
        const inForce = published(key, locale);
        const state = isFailing
          ? 'failing'
          : (draft?.state ?? (inForce ? 'published' : isMissing ? 'missing' : 'shipped'));
        (cells[key] ??= {})[locale] = {
          ...{ state, revision: null, problems: isFailing ? 1 : 0, shippedChanged: double.shippedChanged.has(place) },
          ...(draft ? { editedBy: draft.by, at: draft.at } : {}),
        };
        const ofLocale = (counts[locale] ??= {});
        ofLocale[state] = (ofLocale[state] ?? 0) + 1;
      }
    return {
      keys: wordsKeys.map((key) => ({
        key,
        title: wordsTitles[key],
        kind: key === 'pages' ? 'pages' : key === '_frame' ? 'frame' : 'mail',
      })),
      locales: locales.map((tag) => ({ tag, name: names.of(tag) ?? tag, dir: textDirection(tag) })),
      ...{ cells, counts, alarms: double.alarms },
    };
  });
  server.get('/studio/api/search', (request) => {
    const wanted = String((request.query as { q?: string }).q ?? '').toLowerCase();
    const hits = wordsKeys.flatMap((key) =>
      locales.flatMap((locale): Hit[] =>
        textOf(key, locale, 'published')
          .split('\n')
          .flatMap((text, index) => {
            const at = text.toLowerCase().indexOf(wanted);
            return at < 0 ? [] : [{ key, locale, line: index + 1, text, ranges: [[at, at + wanted.length]] }];
          }),
      ),
    );
    return { hits: hits.slice(0, 200) };
  });
  server.get('/studio/api/words/:key/:locale', (request, reply) => {
    const { key, locale } = request.params as Place;
    if (!isWordsKey(key) || !locales.includes(locale))
      return refuse(reply, 404, 'not-found', 'There are no such words.');
    const inForce = published(key, locale);
    const draft = double.drafts.get(`${key}/${locale}`) ?? null;
    const text = draft?.text ?? textOf(key, locale, 'published');
    return {
      ...{ text, source: textOf(key, 'en', 'published'), base: inForce?.revision ?? 'shipped:1' },
      draft: draft && { ...draft, isOwn: draft.by === double.me.name },
      published: inForce ? { id: inForce.revision, text: inForce.text, at: inForce.at, by: inForce.by } : null,
      shipped: { hash: '1', text: shipped(key, locale) },
      ...vocabularyOf(key),
      helpers: helpersOf(key),
      problems: problemsOf(key, locale, text),
    };
  });
  server.post('/studio/api/check', (request) => {
    const { key, locale, text } = request.body as Place & { text: string };
    return { problems: problemsOf(key, locale, text) };
  });
  server.post('/studio/api/preview', (request, reply) => {
    const { key, locale, text, brand, sample } = request.body as PreviewAsked;
    const given = text ?? textOf(key, locale, 'published');
    if (key === 'pages')
      return { subject: '', preheader: '', html: pageOf(given), text: '', dir: textDirection(locale), locale };
    const made = render(key, locale, given, brands.get(brand)?.look ?? loadBrand(templates, brand), sample);
    if ('problems' in made)
      return refuse(reply, 422, 'words-refused', `Line ${made.problems[0]?.line}: ${made.problems[0]?.message}`);
    return made;
  });
  server.get('/studio/api/samples/:key', (request) => {
    const { key } = request.params as Place;
    if (key === 'pages') return [{ about: 'landing' }, { about: 'code' }];
    return readSamples(templates, mailOf(key), loadBrand(templates, 'default')).map(({ about }) => ({ about }));
  });
  server.put('/studio/api/drafts/:key/:locale', (request, reply) => {
    const { key, locale } = request.params as Place;
    const { text, version, base } = request.body as { text: string; version: number; base: string };
    const draft = double.drafts.get(`${key}/${locale}`);
    if (version !== (draft?.version ?? 0))
      return refuse(reply, 409, 'draft-conflict', 'Somebody else saved this draft meanwhile: bring both together.', {
        ...{ theirs: draft ?? null, base: { text: textOf(key, locale, 'published') } },
      });
    if (text.includes('{{{'))
      return refuse(reply, 422, 'words-refused', 'Values are written as {{name}}.', {
        problems: problemsOf(key, locale, text),
      });
    double.drafts.set(`${key}/${locale}`, {
      ...{
        text,
        version: version + 1,
        base,
        state: 'draft',
        by: double.me.name,
        at: ago(0),
        note: '',
        publishAt: null,
      },
    });
    return { version: version + 1, problems: problemsOf(key, locale, text) };
  });
  server.delete('/studio/api/drafts/:key/:locale', (request, reply) => {
    const { key, locale } = request.params as Place;
    double.drafts.delete(`${key}/${locale}`);
    return reply.status(204).send();
  });
  server.post('/studio/api/drafts/:key/:locale/submit', (request, reply) => {
    const { key, locale } = request.params as Place;
    Object.assign(double.drafts.get(`${key}/${locale}`)!, {
      state: 'submitted',
      note: (request.body as { note: string }).note,
    });
    return reply.status(204).send();
  });
  server.post('/studio/api/drafts/:key/:locale/withdraw', (request, reply) => {
    const { key, locale } = request.params as Place;
    Object.assign(double.drafts.get(`${key}/${locale}`)!, { state: 'draft', publishAt: null });
    return reply.status(204).send();
  });
  const decide = (key: string, locale: string, kind: Publication['kind'], text: string, why: string) => {
    const before = double.publications.get(`${key}/${locale}`) ?? [];
    const [publication, revision] = [`pub_${before.length + 1}`, `rev_${before.length + 1}`];
    const made = { publication, revision, kind, at: ago(0), by: double.me.name, why, text };
    double.publications.set(`${key}/${locale}`, [made, ...before]);
    return { revision };
  };
  server.post('/studio/api/drafts/:key/:locale/publish', (request) => {
    const { key, locale } = request.params as Place;
    const { why, at } = request.body as { why: string; at?: string };
    const draft = double.drafts.get(`${key}/${locale}`)!;
    if (at) Object.assign(draft, { state: 'scheduled', publishAt: at });
    else double.drafts.delete(`${key}/${locale}`);
    return decide(key, locale, at ? 'schedule' : 'publish', draft.text, why);
  });
  server.post('/studio/api/words/:key/:locale/rollback', (request) => {
    const { key, locale } = request.params as Place;
    const { revision, why } = request.body as { revision: string; why: string };
    return decide(key, locale, 'rollback', textOf(key, locale, revision), why);
  });
  server.get('/studio/api/history/:key/:locale', (request) => {
    const { key, locale } = request.params as Place;
    return (double.publications.get(`${key}/${locale}`) ?? []).map(({ text: _text, ...one }) => one);
  });
  server.get('/studio/api/compare', (request) => {
    const { key, locale, from, to } = request.query as Place & { from: string; to: string };
    return { segments: wordDiff(textOf(key, locale, from), textOf(key, locale, to)), version: 1 };
  });
  server.get('/studio/api/three-way/:key/:locale', (request) => {
    const { key, locale } = request.params as Place;
    const base = shipped(key, locale);
    const edited = textOf(key, locale, 'draft');
    return { base, shipped: `${base}\nShipped anew.\n`, edited, merged: `${edited}\nShipped anew.\n`, conflicts: 1 };
  });
  server.post('/studio/api/test-mail', (request) => {
    double.sentTests.push(request.body);
    return { sent: true };
  });
  server.get('/studio/api/xliff/:locale', (_request, reply) => reply.type('application/xliff+xml').send('<xliff/>'));
  server.post('/studio/api/xliff/:locale', async (request) => {
    await (await request.file())?.toBuffer();
    return {
      accepted: ['ticket-replied.subject', 'ticket-replied.body'],
      refused: [{ unit: 'ticket-replied.button', line: 41, message: 'has lost {{ticketNumber}}: put it back' }],
    };
  });
  const mail = {
    ...{ id: 'dlv_1', ticketId: 'tkt_1', key: 'ticket-replied', locale: 'en', state: 'delivered' },
    ...{ to: 's***i@e***.com', revision: 'rev_1', createdAt: ago(1), endedAt: ago(1) },
  };
  server.get('/studio/api/sent', () =>
    double.isWithoutMails ? [] : [mail, { ...mail, id: 'dlv_2', key: 'access-code' }],
  );
  server.get('/studio/api/sent/:id', () => {
    const made = render('ticket-replied', 'en', shipped('ticket-replied', 'en'), loadBrand(templates, 'default'), 0);
    return { ...mail, ...made };
  });

  await server.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.server.address() as AddressInfo;
  // A passkey belongs to a name, not to a number.
  double.url = `http://localhost:${port}`;
  return double;
}

interface Place {
  key: string;
  locale: string;
}

interface PreviewAsked extends Place {
  text?: string;
  brand: string;
  sample: number;
}

const brandSettings = {
  brands: ['default', 'sample'],
  brandNames: { default: 'Postern Support', sample: 'Sample Help' },
  senderNames: { default: 'Acme Support', sample: 'Sample Help' },
};

function refuse(reply: FastifyReply, status: number, code: string, detail: string, more: object = {}) {
  return reply
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ status, code, detail, ...more }));
}

function shipped(key: string, locale: string): string {
  const file = key === 'pages' ? join('pages', `${locale}.json`) : join('content', key, `${locale}.hbs`);
  return existsSync(join(templates, file)) ? readFileSync(join(templates, file), 'utf8') : '';
}

function mailOf(key: string): TemplateKey {
  return key === '_frame' || key === 'pages' ? 'ticket-replied' : (key as TemplateKey);
}

function read(key: string, locale: string, text: string) {
  if (key === '_frame') {
    const vocabulary = { ...wordsVocabulary('notification'), ...wordsVocabulary('code') };
    return readWords(text, `_frame/${locale}`, frameShape, vocabulary, []);
  }
  const layout = templateLayouts[mailOf(key)];
  return readWords(text, `${key}/${locale}`, wordsShape[layout], wordsVocabulary(layout), frameParts);
}

function problemsOf(key: string, locale: string, text: string): object[] {
  if (key === 'pages') {
    try {
      JSON.parse(text);
      return [];
    } catch (error) {
      return [{ line: 1, column: 1, severity: 'error', message: (error as Error).message }];
    }
  }
  const { problems } = read(key, locale, text);
  return problemsIn(
    text,
    problems.map((one) => ({ ...one, severity: 'error', about: '' })),
  );
}

function render(
  key: string,
  locale: string,
  text: string,
  brand: Brand,
  sample: number,
): { problems: Problem[] } | object {
  const mail = mailOf(key);
  const layout = templateLayouts[mail];
  const frame = read('_frame', locale, key === '_frame' ? text : shipped('_frame', locale));
  const own = read(mail, locale, key === '_frame' ? shipped(mail, locale) : text);
  const problems = [...frame.problems, ...own.problems];
  if (problems.length) return { problems };
  const shell = (extension: string) =>
    readFileSync(join(packageRoot, 'dist', 'templates', 'shells', `${layout}.${extension}.hbs`), 'utf8');
  const words = new Map([...frame.words, ...own.words]);
  const compiled = compileMail(
    { html: shell('html'), text: shell('txt') },
    words,
    locale,
    layoutVocabulary(layout, brand),
  );
  if (!isCompiled(compiled)) return { problems: compiled };
  const samples = readSamples(templates, mail, brand);
  const context = templateContext(mail, (samples[sample] ?? samples[0]!).values, locale, true);
  return {
    ...{ subject: compiled.subject(context), preheader: compiled.preheader(context), html: compiled.html(context) },
    ...{ text: compiled.text(context), dir: textDirection(locale), locale },
  };
}

function pageOf(text: string): string {
  const words = JSON.parse(text) as Record<string, string>;
  return `<!doctype html><html lang="en"><head><title>x</title></head><body><h1>${words['landing.title'] ?? ''}</h1><p>${words['landing.lead'] ?? ''}</p></body></html>`;
}

function entry(id: string, action: string, subject: string, detail: string): object {
  return {
    id,
    at: ago(1),
    who: { id: 'usr_1', name: 'Ayu Pratiwi' },
    action,
    subject: { id: subject, name: null },
    detail,
  };
}

const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
const ahead = (days: number) => ago(-days);
