import { PublishedWords } from '../../src/templates/published.js';
import { newId } from '../../src/ids.js';
import { wordsHash } from '../../src/templates/words-texts.js';
import { WordsDesk } from '../../src/studio/words-desk.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { within } from '../support/long.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { someDatabase } from '../support/some-database.js';
import { studioPerson, type StudioBrowser } from '../support/studio.js';
import { change, count, rows } from '../support/tables.js';

const REPLIED = 'words/ticket-replied/en';
const DRAFT = 'drafts/ticket-replied/en';

describe.each(someDatabase)('words in the studio on $name', (database) => {
  let test: TestGateway;
  let relay: Relay;
  let editor: StudioBrowser;
  let publisher: StudioBrowser;
  beforeEach(async () => {
    relay = await startRelay();
    test = await createGateway({ database, settings: { MAIL_URL: relay.url } });
    editor = await studioPerson(test, 'editor', 'Ana');
    publisher = await studioPerson(test, 'publisher', 'Ben');
  });
  afterEach(async () => {
    await test.close();
    await relay.close();
  });

  let tickets = 0;
  const tell = () =>
    test.source.send('ticket.replied', {
      ticket: { id: `w-${++tickets}`, number: '12345' },
      requester: { email: `w-${tickets}@example.com`, locale: 'en' },
      message: {},
    });
  const subjects = () => relay.handedOver.map((mail) => /^Subject: (.*)\r$/m.exec(mail.raw)![1]);
  const open = async (path = REPLIED) => (await editor.ask('GET', path)).body;
  const changed = (text: string, heading: string) =>
    text.replace(/^subject: .*$/m, `subject: ${heading} {{ticketNumber}}`);
  /** Saves over what is there. */
  async function write(heading: string, by = editor) {
    const { text, base, draft } = await open();
    const answer = await by.ask('PUT', DRAFT, { text: changed(text, heading), version: draft?.version ?? 0, base });
    expect(answer).toMatchObject({ status: 200 });
    return answer.body as { version: number };
  }
  const publish = async (heading: string) => {
    await write(heading);
    const answer = await publisher.ask('POST', `${DRAFT}/publish`, { why: 'clearer' });
    expect(answer).toMatchObject({ status: 200 });
    return answer.body.revision as string;
  };

  it('reach the next mail when they are published, and are gone from it when they are taken back', async () => {
    const revision = await publish('News of');
    await tell();
    await test.drain();
    expect(subjects()).toEqual(['News of 12345']);
    expect((await editor.ask('GET', 'history/ticket-replied/en')).body).toEqual([
      expect.objectContaining({ revision, kind: 'publish', by: 'Ben', why: 'clearer' }),
    ]);
    const back = await publisher.ask('POST', `${REPLIED}/rollback`, { revision: 'shipped', why: 'worse' });
    expect(back).toMatchObject({ status: 200, body: { revision: 'shipped' } });
    await tell();
    await test.drain();
    expect(subjects()[1]).not.toContain('News of');
    // Twice is once.
    await publisher.ask('POST', `${REPLIED}/rollback`, { revision: 'shipped', why: 'worse' });
    expect(await count(test, 'template_publications')).toBe(2);
    expect(await count(test, 'audit_log', `action LIKE 'words.%'`)).toBe(2);
  });

  it('are those of the first try in every later one, whatever was published meanwhile, byte for byte', async () => {
    const answers = [451];
    relay.onData = () => answers.shift();
    await publish('First');
    await tell();
    await test.drain();
    const [delivery] = await rows(test, 'deliveries');
    expect(delivery).toMatchObject({ state: 'deferred' });
    expect(await count(test, 'template_renditions')).toBe(1);
    await publish('Second');
    await test.restart(); // nothing of it is in memory
    test.clock.advance({ minutes: 1 });
    await test.drain();
    expect(subjects()).toEqual(['First 12345', 'First 12345']);
    expect(relay.handedOver[1]!.raw).toBe(relay.handedOver[0]!.raw);
    expect((await rows(test, 'deliveries'))[0]).toMatchObject({
      template_revision: delivery!.template_revision,
      state: 'sent',
    });
    await tell();
    await test.drain();
    expect(subjects().at(-1)).toBe('Second 12345');
  });

  it('count from the first try on, not from the plan', async () => {
    await tell();
    await test.drain();
    // As the planner left it.
    await change(
      test,
      `UPDATE deliveries SET state = 'queued', attempts = 0, transport = NULL, ended_at = NULL, revision_fixed_at = NULL`,
    );
    await publish('Later');
    await test.drain();
    expect(subjects()[1]).toBe('Later 12345');
  });

  it('cost a mail no query while nothing changes', async () => {
    await tell();
    await test.drain();
    const before = await rows(test, 'template_renditions');
    for (let n = 0; n < 5; n++) await tell();
    await test.drain();
    expect(await rows(test, 'template_renditions')).toEqual(before);
  });

  it.each([
    ['broken syntax', (text: string) => `${text}\n{{#if guest}}`],
    ['a lost button', (text: string) => text.replace(/^button: .*\n/m, '')],
    ['a text that was changed in the database', null],
  ])('that are broken (%s) cost no mail: the last good ones are sent, and an alarm is up', async (_what, spoil) => {
    const good = await publish('Good');
    const { text } = await open();
    const at = test.clock.now();
    const [id, hash] = [newId('rev', at), wordsHash(spoil ? spoil(text) : text)];
    const broken = (spoil ? spoil(text) : `${text}x`).replaceAll("'", "''");
    await change(
      test,
      `INSERT INTO template_revisions (id, key, locale, hash, text, origin, created_at)
       VALUES ('${id}', 'ticket-replied', 'en', '${spoil ? hash : `${hash.slice(1)}0`}', '${broken}', 'edited', ${at})`,
    );
    await change(test, `UPDATE template_current SET revision_id = '${id}', version = version + 1`);
    await test.gateway.app.get(PublishedWords).refresh();
    await tell();
    await test.drain();
    expect(subjects()).toEqual(['Good 12345']);
    const ready = await fetch(`${test.url}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ failingWords: ['ticket-replied/en'] });
    expect((await editor.ask('GET', 'board')).body).toMatchObject({
      alarms: [{ key: 'ticket-replied', locale: 'en', message: expect.stringContaining('last good words') }],
      cells: { 'ticket-replied': { en: { state: 'failing' } } },
    });
    expect(test.logs.filter((line) => line.includes('published words cannot be used'))).toHaveLength(1);
    // After a restart as well, where only the broken one is in force.
    await test.restart();
    await tell();
    await test.drain();
    expect(subjects().at(-1)).toBe('Good 12345');
    await publisher.ask('POST', `${REPLIED}/rollback`, { revision: good, why: 'repair' });
    expect(test.gateway.app.get(PublishedWords).alarms).toEqual([]);
  });

  it('are missed by no mail and no page, whatever was planted in the database: each alarm names what is broken', async () => {
    await publish('Good');
    const { text: frame } = await open('words/_frame/en');
    const at = test.clock.now();
    /** Puts words into force past everything; null: a revision that is not there. */
    const plant = async (key: string, text: string | null) => {
      const id = newId('rev', at);
      const quoted = text?.replaceAll("'", "''");
      if (text !== null)
        await change(
          test,
          `INSERT INTO template_revisions (id, key, locale, hash, text, origin, created_at)
           VALUES ('${id}', '${key}', 'en', '${wordsHash(text)}', '${quoted}', 'edited', ${at})`,
        );
      await change(
        test,
        `INSERT INTO template_current (id, key, locale, revision_id, publication_id, version, changed_at)
         VALUES ('${key}/en', '${key}', 'en', '${id}', 'pub_x', 1, ${at}) ON CONFLICT (id) DO UPDATE
         SET revision_id = excluded.revision_id, version = template_current.version + 1`,
      );
    };
    await plant('ticket-replied', (await open()).text.replace('---\n', '--\n'));
    await plant('ticket-closed', null);
    await plant('_frame', frame.replace(/^greeting: .*$/m, 'greeting: "{{'));
    await plant('pages', 'no JSON');
    // Words of a mail that this version does not have are used by nobody.
    await plant('ticket-forgotten', 'x');
    await test.gateway.app.get(PublishedWords).refresh();
    const { alarms, cells } = (await editor.ask('GET', 'board')).body;
    expect(alarms.map(({ key }: { key: string }) => key).sort()).toEqual([
      '_frame',
      'pages',
      'ticket-closed',
      'ticket-replied',
    ]);
    expect(alarms).toContainEqual(
      expect.objectContaining({ key: 'ticket-closed', message: expect.stringContaining('not there') }),
    );
    expect(cells.pages.en.state).toBe('failing');
    await tell();
    await test.drain();
    expect(subjects()).toEqual(['Good 12345']);
    expect((await fetch(`${test.url}/help`)).status).toBe(200);
    // An alarm ends with the next decision.
    for (const key of ['_frame', 'pages', 'ticket-closed', 'ticket-replied'])
      expect(await publisher.ask('POST', `words/${key}/en/rollback`, { revision: 'shipped', why: 'x' })).toMatchObject({
        status: 200,
      });
    expect((await editor.ask('GET', 'board')).body.alarms).toEqual([]);
  });

  it('count in every process and after a restart as they were published: a frame among the mails that count', async () => {
    const force = async (key: string, change: (text: string) => string) => {
      const { text, base } = await open(`words/${key}/en`);
      await publisher.ask('PUT', `drafts/${key}/en`, { text: change(text), version: 0, base });
      const answer = await publisher.ask('POST', `drafts/${key}/en/publish`, { why: 'x' });
      expect(answer).toMatchObject({ status: 200 });
    };
    // Only with these words of the code's mail can the frame be as it is then: that mail knows no `guest`.
    for (const key of ['access-code', 'link-renewed'])
      await force(key, (text) => text.replace('{{> greeting}}', 'Hello,'));
    await force('_frame', (text) => text.replace(/^greeting: .*$/m, "greeting: 'Hi{{#if guest}}, dear guest{{/if}},'"));
    await test.restart();
    const words = test.gateway.app.get(PublishedWords);
    expect(words.alarms).toEqual([]);
    expect(words.texts.read('_frame', 'en')).toContain('dear guest');
  });

  it('that a mail was made of and somebody destroyed cost no mail: it leaves in those that count', async () => {
    const answers = [451];
    relay.onData = () => answers.shift();
    await tell();
    await test.drain();
    const kept = await rows(test, 'template_renditions');
    await change(test, `UPDATE template_renditions SET sources = '{"html'`);
    await test.restart();
    test.clock.advance({ minutes: 1 });
    await test.drain();
    expect((await rows(test, 'deliveries'))[0]).toMatchObject({ state: 'sent' });
    expect(relay.handedOver[1]!.raw).toBe(relay.handedOver[0]!.raw);
    // The same words are whole again.
    expect((await rows(test, 'template_renditions')).map(({ sources }) => sources)).toEqual(
      kept.map(({ sources }) => sources),
    );
  });

  it('that are scheduled for a mail that this version does not have wait for one that has it, and hold up no other', async () => {
    const at = new Date(test.clock.now() + 60_000).toISOString();
    await write('In time');
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x', at })).toMatchObject({ status: 200 });
    // Of a mail that this version does not have, due before it.
    const [draft] = await rows(test, 'template_drafts');
    const other = { ...draft, id: newId('wdr', 1), key: 'ticket-forgotten', publish_at: 1 };
    const quote = (value: unknown) => (value === null ? 'NULL' : `'${String(value).replaceAll("'", "''")}'`);
    await change(
      test,
      `INSERT INTO template_drafts (${Object.keys(other)
        .map((name) => `"${name}"`)
        .join(', ')})
       VALUES (${Object.values(other).map(quote).join(', ')})`,
    );
    test.clock.advance({ minutes: 1 });
    await test.gateway.app.get(WordsDesk).publishDue();
    expect(await rows(test, 'template_current')).toMatchObject([{ id: 'ticket-replied/en' }]);
    expect(await rows(test, 'template_drafts', `key = 'ticket-forgotten'`)).toMatchObject([{ state: 'scheduled' }]);
  });

  it('are never lost to somebody who saves at the same time', async () => {
    const { text, base } = await open();
    const both = await Promise.all(
      [editor, publisher].map((who, i) =>
        who.ask('PUT', DRAFT, { text: changed(text, `Side ${i}`), version: 0, base }),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const loser = both.find(({ status }) => status === 409)!;
    expect(loser.body).toMatchObject({
      code: 'draft-conflict',
      theirs: { text: expect.stringContaining('Side'), version: 1 },
      base: { text },
    });
    // 20 at once from the same version: one is saved.
    const many = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        editor.ask('PUT', DRAFT, { text: changed(text, `Again ${i}`), version: 1, base }),
      ),
    );
    expect(many.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(many.filter(({ status }) => status === 409)).toHaveLength(19);
  });

  it('saved once more after a lost answer are saved', async () => {
    const { text, base } = await open();
    const save = { text: changed(text, 'Twice'), version: 0, base };
    expect((await editor.ask('PUT', DRAFT, save)).body).toMatchObject({ version: 1 });
    expect(await editor.ask('PUT', DRAFT, save)).toMatchObject({ status: 200, body: { version: 1 } });
    // A draft that was thrown away is not taken for the next one.
    await editor.ask('DELETE', DRAFT);
    expect(await editor.ask('PUT', DRAFT, { ...save, version: 1 })).toMatchObject({
      status: 409,
      body: { theirs: null },
    });
  });

  it('are published once by many who publish at once', async () => {
    await write('Once');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => publisher.ask('POST', `${DRAFT}/publish`, { why: 'now' })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await count(test, 'template_publications')).toBe(1);
  });

  it('that lose the button are refused, and the draft stays as it was', async () => {
    await write('Kept');
    const { text, base, draft } = await open();
    const without = text.replace(/^button: .*\n/m, '');
    const answer = await editor.ask('PUT', DRAFT, { text: without, version: draft.version, base });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'words-refused', problems: [{ message: expect.stringContaining('"button" is missing') }] },
    });
    expect((await open()).draft.text).toBe(draft.text);
  });

  it('may be half typed in a draft, and are not published so', async () => {
    const { text, base } = await open();
    const saved = await editor.ask('PUT', DRAFT, { text: `${text}\n{{ticketNum`, version: 0, base });
    expect(saved).toMatchObject({ status: 200, body: { version: 1 } });
    expect(saved.body.problems).not.toEqual([]);
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({ status: 422 });
    expect(await editor.ask('POST', `${DRAFT}/submit`, { note: '' })).toMatchObject({ status: 422 });
  });

  it('are published by publishers only, and with a second person by another one than wrote them', async () => {
    await write('Mine', publisher);
    expect(await editor.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({ status: 403 });
    await test.restart({ STUDIO_SECOND_PERSON: 'on' });
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'second-person' },
    });
    const other = await studioPerson(test, 'publisher', 'Cai');
    expect(await other.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({ status: 200 });
  });

  it('are published by nobody who wrote at them, though somebody else mended the last letter', async () => {
    await test.restart({ STUDIO_SECOND_PERSON: 'on' });
    await write('All of it', publisher);
    await write('All of it!');
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'second-person' },
    });
    const other = await studioPerson(test, 'publisher', 'Cai');
    // Nor for later.
    const at = new Date(test.clock.now() + 3_600_000).toISOString();
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x', at })).toMatchObject({ status: 409 });
    expect(await other.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({ status: 200 });
    // The next draft is begun by others.
    await write('By the editor alone');
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({ status: 200 });
  });

  it('are published as the publisher saw them, or not at all', async () => {
    await write('Looked at');
    const draft = 'compare?key=ticket-replied&locale=en&from=published&to=draft';
    const seen = (await publisher.ask('GET', draft)).body.version;
    await write('Slipped in');
    const blind = await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x', version: seen });
    expect(blind).toMatchObject({
      status: 409,
      body: { code: 'draft-conflict', detail: expect.stringContaining('after you looked') },
    });
    // Taken out of a review and given back is not what was looked at, either.
    expect(await editor.ask('POST', `${DRAFT}/submit`, { note: '' })).toMatchObject({ status: 204 });
    const { version } = (await publisher.ask('GET', draft)).body;
    expect(await editor.ask('POST', `${DRAFT}/withdraw`, {})).toMatchObject({ status: 204 });
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x', version })).toMatchObject({ status: 409 });
    const again = (await publisher.ask('GET', draft)).body.version;
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x', version: again })).toMatchObject({
      status: 200,
    });
  });

  it('are brought back by publishers alone only if they counted once, and pass the checks of today', async () => {
    await test.restart({ STUDIO_SECOND_PERSON: 'on' });
    const back = (revision: string) => publisher.ask('POST', `${REPLIED}/rollback`, { revision, why: 'x' });
    const first = await publish('First');
    await publish('Second');
    // Scheduled by another one, and taken back before its time: no mail ever said it.
    await write('Never said', publisher);
    const other = await studioPerson(test, 'publisher', 'Cai');
    const at = new Date(test.clock.now() + 3_600_000).toISOString();
    const scheduled = await other.ask('POST', `${DRAFT}/publish`, { why: 'x', at });
    expect(scheduled).toMatchObject({ status: 200 });
    await publisher.ask('POST', `${DRAFT}/withdraw`);
    expect(await back(scheduled.body.revision)).toMatchObject({
      status: 422,
      body: { code: 'words-refused', detail: expect.stringContaining('never counted') },
    });
    expect(await back(first)).toMatchObject({ status: 200 });
    // Words of old that a stricter version would not publish any more.
    const { text } = (await editor.ask('GET', `revisions/${first}`)).body;
    const old = text.replace('First {{ticketNumber}}', '{{nobody}}');
    await change(
      test,
      `UPDATE template_revisions SET text = '${old.replaceAll("'", "''")}', hash = '${wordsHash(old)}' WHERE id = '${first}'`,
    );
    await back('shipped');
    expect(await back(first)).toMatchObject({ status: 422, body: { problems: [{ line: 2 }] } });
    expect(await count(test, 'audit_log', `action = 'words.rolled-back'`)).toBe(2);
  });

  it('are published by nobody who scheduled words of their own before a second person was asked for', async () => {
    await write('Mine', publisher);
    const at = new Date(test.clock.now() + 60_000).toISOString();
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'x', at })).toMatchObject({ status: 200 });
    await test.restart({ STUDIO_SECOND_PERSON: 'on' });
    test.clock.advance({ minutes: 1 });
    await test.gateway.app.get(WordsDesk).publishDue();
    expect(await count(test, 'template_current')).toBe(0);
    expect((await editor.ask('GET', 'board')).body.alarms).toMatchObject([
      { key: 'ticket-replied', locale: 'en', message: expect.stringContaining('wrote at them') },
    ]);
  });

  it.each([
    ['blocked', `blocked_at = 1`],
    ['removed', `removed_at = 1, roles = '[]'`],
    ['no publisher any more', `roles = '[{"brand":"*","role":"editor"}]'`],
  ])('that are scheduled by somebody who is %s do not come into force: an alarm says so', async (_how, set) => {
    const other = await studioPerson(test, 'publisher', 'Cai');
    await write('At noon');
    const at = new Date(test.clock.now() + 3_600_000).toISOString();
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'launch', at })).toMatchObject({ status: 200 });
    await change(test, `UPDATE studio_people SET ${set} WHERE id = '${publisher.id}'`);
    test.clock.advance({ minutes: 30 });
    expect((await other.ask('GET', 'board')).body.alarms).toEqual([]);
    test.clock.advance({ minutes: 30 });
    const desk = test.gateway.app.get(WordsDesk);
    await Promise.all(Array.from({ length: 5 }, () => desk.publishDue()));
    expect((await rows(test, 'template_publications')).map(({ kind }) => kind)).toEqual(['schedule']);
    expect((await other.ask('GET', REPLIED)).body.draft).toMatchObject({ state: 'draft', publishAt: null });
    expect((await other.ask('GET', 'board')).body.alarms).toEqual([
      {
        ...{ key: 'ticket-replied', locale: 'en', since: new Date(test.clock.now()).toISOString() },
        message: 'were not published: Ben, who scheduled them, may not publish any more',
      },
    ]);
    expect(await rows(test, 'audit_log', `action = 'words.withdrawn'`)).toMatchObject([
      { actor: 'postern', subject: 'ticket-replied/en', detail: expect.stringContaining(publisher.id) },
    ]);
    // Whoever publishes them ends the alarm.
    expect(await other.ask('POST', `${DRAFT}/publish`, { why: 'x' })).toMatchObject({ status: 200 });
    expect((await other.ask('GET', 'board')).body.alarms).toEqual([]);
  });

  it('that are scheduled come into force when they are due, once', async () => {
    await write('At noon');
    const at = new Date(test.clock.now() + 3_600_000).toISOString();
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'launch', at })).toMatchObject({ status: 200 });
    // Whoever edits them takes them back, and that is noted.
    await write('At noon!');
    expect((await open()).draft).toMatchObject({ state: 'draft', publishAt: null });
    expect(await rows(test, 'audit_log', `action = 'words.withdrawn'`)).toMatchObject([{ actor: editor.id }]);
    await write('At noon');
    expect(await publisher.ask('POST', `${DRAFT}/publish`, { why: 'launch', at })).toMatchObject({ status: 200 });
    const desk = test.gateway.app.get(WordsDesk);
    await desk.publishDue();
    expect((await open()).draft).toMatchObject({ state: 'scheduled', publishAt: at });
    expect(await count(test, 'template_current')).toBe(0);
    test.clock.advance({ hours: 1 });
    await Promise.all(Array.from({ length: 5 }, () => desk.publishDue()));
    expect((await rows(test, 'template_publications')).map(({ kind }) => kind)).toEqual([
      'schedule',
      'schedule',
      'publish',
    ]);
    await tell();
    await test.drain();
    expect(subjects()).toEqual(['At noon 12345']);
  });

  it('are told apart from shipped ones that changed since, and merged with them', async () => {
    await publish('Edited');
    const before = 'the words of an older version';
    const shippedThen = (await open()).shipped.text.replace('Our support team has replied.', before);
    await change(
      test,
      `UPDATE template_revisions SET text = '${shippedThen.replaceAll("'", "''")}', hash = '${wordsHash(shippedThen)}' WHERE origin = 'shipped'`,
    );
    await change(test, `UPDATE template_publications SET shipped_hash = '${wordsHash(shippedThen)}'`);
    expect((await editor.ask('GET', 'board')).body.cells['ticket-replied'].en).toMatchObject({
      state: 'published',
      shippedChanged: true,
    });
    const { body } = await editor.ask('GET', 'three-way/ticket-replied/en');
    expect(body.base).toBe(shippedThen);
    expect(body.shipped).toContain('Our support team has replied.');
    expect(body.edited).toContain('Edited {{ticketNumber}}');
    expect(body.merged.includes('<<<<<<<')).toBe(body.conflicts > 0);
  });

  it('are not in order while the marks of a merge stand in them', async () => {
    const { text } = await open();
    const marked = `${text}\n<<<<<<< edited\na\n=======\nb\n>>>>>>> shipped\n`;
    const { body } = await editor.ask('POST', 'check', { key: 'ticket-replied', locale: 'en', text: marked });
    const marks = body.problems.filter(({ message }: { message: string }) => message.includes('mark of a merge'));
    expect(marks.map(({ severity }: { severity: string }) => severity)).toEqual(['error', 'error', 'error']);
  });

  it('of the pages reach the next page, and a sentence that cannot be said costs that one alone', async () => {
    const path = 'words/pages/en';
    const { text, base } = await open(path);
    const { status } = await editor.ask('PUT', 'drafts/pages/en', {
      text: text.replace(/("help\.title"): ".*"/, '$1: "All you may ask"'),
      version: 0,
      base,
    });
    expect(status).toBe(200);
    expect(await publisher.ask('POST', 'drafts/pages/en/publish', { why: 'warmer' })).toMatchObject({ status: 200 });
    expect(await (await fetch(`${test.url}/help`)).text()).toContain('All you may ask');
    // A sentence that nobody can say, past every check.
    const broken = text.replace(/("help\.title"): ".*"/, '$1: "{nobody}"');
    const quoted = broken.replaceAll("'", "''");
    await change(
      test,
      `UPDATE template_revisions SET text = '${quoted}', hash = '${wordsHash(broken)}' WHERE origin = 'edited'`,
    );
    await change(test, `UPDATE template_current SET version = version + 1`);
    await test.gateway.app.get(PublishedWords).refresh();
    const answer = await fetch(`${test.url}/help`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).not.toMatch(/nobody\}|All you may ask/);
  });

  it('go out as XLIFF and come back into drafts, right ones only', async () => {
    const out = await editor.ask('GET', 'xliff/id');
    expect(out).toMatchObject({ status: 200 });
    expect(out.headers.get('content-disposition')).toContain('postern-id.xlf');
    const target = /<unit id="heading" name="ticket-replied\/heading"[^]*?<target>([^]*?)<\/target>/.exec(
      out.body,
    )![1]!;
    const spoilt = /<unit id="heading" name="ticket-closed\/heading"[^]*?<target>([^]*?)<\/target>/.exec(out.body)![1]!;
    const xliff = out.body
      .replaceAll('state="initial"', 'state="translated"')
      .replace(`<target>${target}</target>`, `<target>Kabar: ${target}</target>`)
      .replace(`<target>${spoilt}</target>`, '<target>Tanpa nomor {{{x}}}</target>')
      .replace(/(<unit id="heading" name="ticket-created\/heading"[^]*?<target>)/, '$1Kabar: ');
    // Somebody saves one of them between the look at the drafts and the end.
    const theirs = await open('words/ticket-created/id');
    const saved = { text: `${theirs.text}\n`, version: 0, base: theirs.base };
    await publisher.ask('PUT', 'drafts/ticket-created/id', saved);
    const desk = test.gateway.app.get(WordsDesk);
    const look = desk.drafts.bind(desk);
    desk.drafts = () => ((desk.drafts = look), Promise.resolve([]));
    const back = await editor.upload('xliff/id', xliff);
    expect(back).toMatchObject({ status: 200 });
    expect(back.body.accepted).not.toContain('ticket-created/heading');
    expect(back.body.refused).toContainEqual({
      ...{ unit: 'ticket-created/heading', line: 1 },
      message: expect.stringContaining('Somebody else saved'),
    });
    expect((await open('words/ticket-created/id')).draft.text).toBe(saved.text);
    expect(await count(test, 'audit_log', `action = 'words.imported'`)).toBe(1);
    expect(back.body.accepted).toContain('ticket-replied/heading');
    expect(back.body.refused).toContainEqual(
      expect.objectContaining({ unit: 'ticket-closed/heading', line: expect.any(Number) }),
    );
    expect((await open('words/ticket-replied/id')).draft.text).toContain('Kabar: ');
    // Whoever uploads is an author, and no second person.
    expect(await rows(test, 'template_drafts', `key = 'ticket-replied'`)).toMatchObject([
      { authors: JSON.stringify([editor.id]) },
    ]);
    expect(await count(test, 'template_current')).toBe(0);
    expect((await editor.upload('xliff/de', xliff)).status).toBe(422);
    // What somebody looks at already is not taken back by a file.
    expect((await editor.ask('POST', 'drafts/ticket-replied/id/submit', { note: '' })).status).toBe(204);
    const late = await editor.upload('xliff/id', xliff.replaceAll('>Kabar: ', '>Kabar baru: '));
    expect(late.body.refused).toContainEqual({
      ...{ unit: 'ticket-replied/heading', line: 1 },
      message: expect.stringContaining('waits for review'),
    });
    expect((await open('words/ticket-replied/id')).draft).toMatchObject({ state: 'submitted', isOwn: true });
  });

  it('are shown in a preview of every kind of sample, and what it says of itself is what is sent', async () => {
    const samples = (await editor.ask('GET', 'samples/ticket-replied')).body;
    expect(samples).toHaveLength(5);
    for (const sample of [0, 1, 2, 3, 4]) {
      const { status, body } = await editor.ask('POST', 'preview', {
        key: 'ticket-replied',
        locale: 'ar',
        brand: 'default',
        sample,
      });
      expect(status).toBe(200);
      expect(body).toMatchObject({ dir: 'rtl', locale: 'ar' });
      expect(body.html).not.toMatch(/<script|onerror=alert\(1\)>/);
    }
    for (let sample = 0; sample < 13; sample++)
      expect(
        await editor.ask('POST', 'preview', { key: 'pages', locale: 'id', brand: 'default', sample }),
      ).toMatchObject({
        status: 200,
        body: { html: expect.stringContaining('<html lang="id"') },
      });
  });

  it('go to whoever writes them as a test, marked so, and not without end', async () => {
    const { text } = await open();
    const given = { key: 'ticket-replied', locale: 'en', brand: 'default', sample: 0, text: changed(text, 'Trial') };
    expect(await editor.ask('POST', 'test-mail', given)).toMatchObject({ status: 200 });
    expect(relay.handedOver[0]).toMatchObject({ raw: expect.stringMatching(/^To: ana@content\.example\r$/m) });
    expect(subjects()).toEqual(['[Test] Trial 12345']);
    for (let n = 1; n < 20; n++) await editor.ask('POST', 'test-mail', given);
    expect(await editor.ask('POST', 'test-mail', given)).toMatchObject({ status: 429 });
    expect(relay.handedOver).toHaveLength(20);
  });

  it('are seen again as they were sent, without what opens anything, by admins', async () => {
    const admin = await studioPerson(test, 'admin', 'Dee');
    await publish('Sent');
    await tell();
    await test.drain();
    await publish('Other');
    const [one] = (await admin.ask('GET', 'sent?ticket=12345')).body;
    expect(one).toMatchObject({ key: 'ticket-replied', locale: 'en', state: 'sent' });
    const { body } = await admin.ask('GET', `sent/${one.id}`);
    expect(body).toMatchObject({ subject: 'Sent 12345', words: { mail: expect.stringMatching(/^rev_/) } });
    expect(body.text).toContain('/t/••••••');
    expect(JSON.stringify(body)).not.toMatch(/\/t\/[\w.~-]{20}/);
    expect(await publisher.ask('GET', `sent/${one.id}`)).toMatchObject({ status: 403 });
  });

  it('are found, compared word by word, and explained', async () => {
    const { body: found } = await editor.ask('GET', 'search?q=gelesen');
    expect(
      found.hits.every(({ text, ranges }: { text: string; ranges: [number, number][] }) =>
        ranges.every(([from, to]) => /gelesen/i.test(text.slice(from, to))),
      ),
    ).toBe(true);
    // At the end of a long line as well, and shown with what stands before it.
    const long = (await open('words/pages/en')).text.split('\n').find(({ length }: string) => length > 340)!;
    const last = long.slice(-24, -3);
    const [hit] = (await editor.ask('GET', `search?q=${encodeURIComponent(last)}`)).body.hits;
    expect(hit.text.slice(...hit.ranges[0])).toBe(last);
    expect([hit.key, hit.text.length <= 300]).toEqual(['pages', true]);
    await write('Compared');
    const { body } = await editor.ask('GET', 'compare?from=shipped&to=draft&key=ticket-replied&locale=en');
    expect(body.segments).toContainEqual({ kind: 'added', text: 'Compared' });
    const words = await open();
    expect(words.vocabulary).toContainEqual(expect.objectContaining({ name: 'ticketNumber', sample: '12345' }));
    expect(words.parts).toContain('greeting');
    // Each slip comes with what mends it, and mended so the words are as they were.
    const slips: [right: string, slip: string, label: string][] = [
      ['{{ticketNumber}}', '{{ticketNumbr}}', 'write ticketNumber'],
      ['{{ticketNumber}}', '{{{ticketNumber}}}', 'write {{ticketNumber}}'],
      ['{{ticketNumber}}\n', '{{ticketN\n', 'write {{ticketNumber}}'],
      ['{{> greeting}}', '{{> greting}}', 'write greeting'],
      ['preheader:', 'prehader:', 'write preheader'],
    ];
    for (const [right, slip, label] of slips) {
      const text = words.text.replace(right, slip);
      const { body: checked } = await editor.ask('POST', 'check', { key: 'ticket-replied', locale: 'en', text });
      const { fix } = checked.problems.find((one: { fix?: object }) => one.fix) ?? {};
      expect({ slip, fix }).toEqual({ slip, fix: expect.objectContaining({ label }) });
      expect(text.slice(0, fix.from) + fix.insert + text.slice(fix.to)).toBe(words.text);
    }
  });

  it('are checked and shown at once', async () => {
    const { text } = await open();
    const time = async (path: string, body: object) => {
      const times: number[] = [];
      for (let n = 0; n < 15; n++) {
        const began = performance.now();
        await editor.ask('POST', path, { ...body, text: changed(text, `Quick ${n}`) });
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b)[7]!;
    };
    const given = { key: 'ticket-replied', locale: 'en' };
    expect(await time('preview', { ...given, brand: 'default', sample: 0 })).toBeLessThan(within(150));
    expect(await time('check', given)).toBeLessThan(within(50));
  });
});
