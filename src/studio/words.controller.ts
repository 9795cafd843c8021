import type {} from '@fastify/multipart';
import {
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  Query,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { takeLimits, testMailLimit } from '../access/limits.js';
import { Config } from '../config.js';
import { SentMail } from '../delivery/sent-mail.js';
import { DirectMail } from '../delivery/direct-mail.js';
import { PosternError } from '../errors.js';
import { audit } from '../platform/audit.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { canonicalLocale } from '../platform/locale.js';
import { mergeTexts } from '../templates/merge.js';
import { PublishedWords } from '../templates/published.js';
import { wordDiff } from '../templates/word-diff.js';
import { isWordsKey, placeOf, wordsHash } from '../templates/words-texts.js';
import { SOURCE_LOCALE } from '../translations/checks.js';
import { LONGEST_TEXT } from '../translations/check-text.js';
import { readJson } from './json-body.js';
import { Previews } from './previews.js';
import { mayDo } from './roles.js';
import { Needs, signedIn, StudioGuard } from './studio.guard.js';
import { WordsBoard, type Board, type Hit } from './words-board.js';
import { WordsDesk } from './words-desk.js';
import type { Place } from './words-drafts.js';
import { WordsExchange, type Exchanged } from './words-exchange.js';
import { helpersOf, vocabularyOf } from './words-vocabulary.js';

const LARGEST_XLIFF = 2 * 1024 * 1024;
const MOST_HISTORY = 200;

const words = z.string().max(LONGEST_TEXT);
const why = z.string().trim().min(1).max(500);
const place = { key: z.string().max(40), locale: z.string().max(40) };
const value = z.union([z.string().max(500), z.number(), z.boolean()]);
const checkShape = z.object({ ...place, text: words });
const previewShape = z.object({
  ...{ ...place, text: words.optional(), brand: z.string().max(60).default('default') },
  ...{ sample: z.int().min(0).default(0), values: z.record(z.string(), value).optional() },
  mode: z.enum(['html', 'text']).default('html'),
});
const saveShape = z.object({ text: words, version: z.int().min(0), base: z.string().max(60) });
const submitShape = z.object({ note: z.string().trim().max(500).default('') });
const publishShape = z.object({
  why,
  at: z.iso.datetime({ offset: true }).nullish(),
  version: z.int().min(1).optional(),
});
const rollbackShape = z.object({ revision: z.string().max(60), why });

/** The words of mails and pages: looked at, written, checked, put into force and taken back. */
@Controller('studio/api')
@UseGuards(StudioGuard)
export class WordsController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly published: PublishedWords,
    private readonly board: WordsBoard,
    private readonly desk: WordsDesk,
    private readonly previews: Previews,
    private readonly exchange: WordsExchange,
    private readonly mail: DirectMail,
    private readonly sent: SentMail,
  ) {}

  @Get('board')
  @Needs('editor')
  async showBoard(): Promise<Board> {
    await this.published.refresh();
    return this.board.show();
  }

  @Get('search')
  @Needs('editor')
  search(@Query('q') query?: string): { hits: Hit[] } {
    return { hits: this.board.search(typeof query === 'string' ? query : '') };
  }

  @Get('words/:key/:locale')
  @Needs('editor')
  async open(
    @Param('key') key: string,
    @Param('locale') locale: string,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    const at = placeOrThrow(key, locale);
    await this.published.refresh();
    const { texts } = this.published;
    const [draft, inForce] = await Promise.all([this.desk.draftOf(at), this.desk.inForce(at)]);
    const text = draft?.text ?? texts.read(at.key, locale);
    const shipped = texts.shipped(at.key, locale);
    return {
      text: text ?? '',
      source: texts.read(at.key, SOURCE_LOCALE) ?? '',
      base: draft?.base ?? (texts.read(at.key, locale) === null ? 'shipped:' : texts.idOf(at.key, locale)),
      published: inForce && {
        ...{ id: inForce.revision.id, text: inForce.revision.text },
        ...{ at: isoTime(inForce.publication.at), by: inForce.publication.byName },
      },
      shipped: shipped === null ? null : { hash: wordsHash(shipped), text: shipped },
      draft: draft && {
        ...{ text: draft.text, version: draft.version, base: draft.base, state: draft.state },
        ...{ by: draft.byName, at: isoTime(draft.at), note: draft.note },
        isOwn: draft.authors.includes(signedIn(request).id),
        publishAt: isoTime(draft.publishAt),
      },
      ...vocabularyOf(at.key),
      helpers: helpersOf(at.key),
      problems: text === null ? [] : this.desk.check(at, text),
    };
  }

  @Post('check')
  @HttpCode(200)
  @Needs('editor')
  check(@Req() request: FastifyRequest): object {
    const { key, locale, text } = readJson(request, checkShape);
    return { problems: this.desk.check(placeOrThrow(key, locale), text) };
  }

  /** For those of one brand too: to see how it looks. */
  @Post('preview')
  @HttpCode(200)
  @Needs('editor', 'any')
  preview(@Req() request: FastifyRequest): object {
    const { key, locale, ...given } = readJson(request, previewShape);
    if (!mayDo(signedIn(request).roles, 'editor', given.brand))
      throw new PosternError('forbidden', 'Your role is for another brand.');
    return this.previews.show({ ...placeOrThrow(key, locale), ...given });
  }

  @Get('samples/:key')
  @Needs('editor', 'any')
  samples(@Param('key') key: string): object[] {
    return this.previews.samples(placeOrThrow(key, SOURCE_LOCALE).key);
  }

  @Put('drafts/:key/:locale')
  @Needs('editor')
  save(@Param('key') key: string, @Param('locale') locale: string, @Req() request: FastifyRequest): Promise<object> {
    return this.desk.save(signedIn(request), placeOrThrow(key, locale), readJson(request, saveShape));
  }

  @Delete('drafts/:key/:locale')
  @HttpCode(204)
  @Needs('editor')
  discard(@Param('key') key: string, @Param('locale') locale: string, @Req() request: FastifyRequest): Promise<void> {
    return this.desk.throwAway(signedIn(request), placeOrThrow(key, locale));
  }

  @Post('drafts/:key/:locale/submit')
  @HttpCode(204)
  @Needs('editor')
  submit(@Param('key') key: string, @Param('locale') locale: string, @Req() request: FastifyRequest): Promise<void> {
    const { note } = readJson(request, submitShape);
    return this.desk.submit(signedIn(request), placeOrThrow(key, locale), note);
  }

  @Post('drafts/:key/:locale/withdraw')
  @HttpCode(204)
  @Needs('editor')
  withdraw(@Param('key') key: string, @Param('locale') locale: string, @Req() request: FastifyRequest): Promise<void> {
    return this.desk.withdraw(signedIn(request), placeOrThrow(key, locale));
  }

  @Post('drafts/:key/:locale/publish')
  @HttpCode(200)
  @Needs('publisher')
  publish(@Param('key') key: string, @Param('locale') locale: string, @Req() request: FastifyRequest): Promise<object> {
    const { at, ...given } = readJson(request, publishShape);
    const time = at ? Date.parse(at) : null;
    return this.desk.publish(signedIn(request), placeOrThrow(key, locale), { ...given, at: time });
  }

  @Post('words/:key/:locale/rollback')
  @HttpCode(200)
  @Needs('publisher')
  rollback(
    @Param('key') key: string,
    @Param('locale') locale: string,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    const given = readJson(request, rollbackShape);
    return this.desk.rollback(signedIn(request), placeOrThrow(key, locale), given.revision, given.why);
  }

  @Get('history/:key/:locale')
  @Needs('editor')
  async history(@Param('key') key: string, @Param('locale') locale: string): Promise<object[]> {
    const found = await this.desk.history(placeOrThrow(key, locale));
    return found.slice(0, MOST_HISTORY).map((one) => ({
      ...{ publication: one.id, revision: one.revisionId ?? 'shipped', kind: one.kind },
      ...{ at: isoTime(one.at), by: one.byName, why: one.why },
      publishAt: isoTime(one.publishAt),
    }));
  }

  @Get('revisions/:id')
  @Needs('editor')
  async revision(@Param('id') id: string): Promise<object> {
    const found = await this.desk.revision(id);
    if (!found) throw new PosternError('not-found', 'There is no such revision.');
    const { key, locale, text, origin, createdAt, byName } = found;
    return { id, key, locale, text, origin, at: isoTime(createdAt), by: byName };
  }

  /** `from` and `to`: revisions, or `shipped`, `published`, `draft` of the place that the other one or the query names. */
  @Get('compare')
  @Needs('editor')
  async compare(@Query() query: Record<string, unknown>): Promise<object> {
    const [from, to] = [query['from'], query['to']].map(String);
    const known = (await this.desk.revision(from!)) ?? (await this.desk.revision(to!));
    const at = placeOrThrow(String(query['key'] ?? known?.key), String(query['locale'] ?? known?.locale));
    // A draft with its version: whoever publishes it names the one that they looked at.
    const draft = to === 'draft' ? await this.desk.draftOf(at) : null;
    const [before, after] = await Promise.all([this.desk.textOf(at, from!), draft?.text ?? this.desk.textOf(at, to!)]);
    if (before === null || after === null) throw new PosternError('not-found', 'One of the two texts is not there.');
    return { segments: wordDiff(before, after), version: draft?.version ?? null };
  }

  @Get('three-way/:key/:locale')
  @Needs('editor')
  async threeWay(@Param('key') key: string, @Param('locale') locale: string): Promise<object> {
    const at = placeOrThrow(key, locale);
    const [draft, inForce] = await Promise.all([this.desk.draftOf(at), this.desk.inForce(at)]);
    const hash = draft ? draft.shippedHash : (inForce?.publication.shippedHash ?? null);
    const edited = draft?.text ?? inForce?.revision.text;
    const shipped = this.published.texts.shipped(at.key, locale);
    const base = hash === null ? null : await this.desk.textOf(at, `shipped:${hash}`);
    if (edited === undefined || shipped === null || base === null)
      throw new PosternError('not-found', 'Nothing was edited here, or nothing was shipped that it began from.');
    const { text: merged, conflicts } = mergeTexts(base, edited, shipped);
    return { base, shipped, edited, merged, conflicts };
  }

  /** To the person's own address, by the ways that guests' mails go. */
  @Post('test-mail')
  @HttpCode(200)
  @Needs('editor')
  async sendTest(@Req() request: FastifyRequest): Promise<object> {
    const { key, locale, ...given } = readJson(request, previewShape);
    const person = signedIn(request);
    const at = placeOrThrow(key, locale);
    if (at.key === 'pages') throw new PosternError('invalid-request', 'Pages are no mail.');
    const { mail, brand } = this.previews.encode({ ...at, ...given });
    await this.database.write(async (tx) => {
      const now = this.clock.now();
      const taken = await takeLimits(tx, [testMailLimit(this.config.secretKeys, person.id)], now);
      if (!taken.ok)
        throw new PosternError('too-many-requests', 'That is enough test mails for now.', {
          retryAfterSeconds: taken.retryAfterSeconds,
        });
      await audit(
        tx,
        { actor: person.id, action: 'words.test-mail', subject: placeOf(at.key, locale), detail: '' },
        now,
      );
    });
    const outcome = await this.mail.sendSample(person.email, mail, brand);
    if (!outcome.taken) throw new PosternError('unavailable', `The mail was not taken: ${outcome.detail}`);
    return { sent: true };
  }

  @Get('xliff/:locale')
  @Header('content-type', 'application/xliff+xml; charset=utf-8')
  @Needs('editor')
  download(@Param('locale') locale: string, @Res({ passthrough: true }) reply: FastifyReply): string {
    const at = placeOrThrow('pages', locale);
    void reply.header('content-disposition', `attachment; filename="postern-${at.locale}.xlf"`);
    return this.exchange.download(locale);
  }

  /** As `multipart/form-data` with the file in the field `file`. */
  @Post('xliff/:locale')
  @HttpCode(200)
  @Needs('editor')
  async upload(@Param('locale') locale: string, @Req() request: FastifyRequest): Promise<Exchanged> {
    const at = placeOrThrow('pages', locale);
    const exchanged = await this.exchange.upload(signedIn(request), at.locale, await readXliffFile(request));
    const detail = `${exchanged.accepted.length} accepted, ${exchanged.refused.length} refused`;
    await this.database.write((tx) =>
      audit(tx, { actor: signedIn(request).id, action: 'words.imported', subject: locale, detail }, this.clock.now()),
    );
    return exchanged;
  }

  /** Mails about a ticket, by its id or number, with the revision of their words. */
  @Get('sent')
  @Needs('admin')
  async sentOf(@Query('ticket') ticket?: string): Promise<object[]> {
    if (typeof ticket !== 'string' || !ticket)
      throw new PosternError('invalid-request', 'Name a ticket: ?ticket=12345');
    return this.sent.ofTicket(ticket);
  }

  @Get('sent/:id')
  @Needs('admin')
  async showSent(@Param('id') id: string, @Req() request: FastifyRequest): Promise<object> {
    const found = await this.sent.show(id);
    if (!found) throw new PosternError('not-found', 'No such mail was tried, or its words were not kept.');
    // Somebody's mail was looked at.
    await this.database.write((tx) =>
      audit(tx, { actor: signedIn(request).id, action: 'sent.shown', subject: id, detail: '' }, this.clock.now()),
    );
    return found;
  }
}

function placeOrThrow(key: string, locale: string): Place {
  if (isWordsKey(key) && canonicalLocale(locale) === locale) return { key, locale };
  throw new PosternError('not-found', 'There are no such words.');
}

async function readXliffFile(request: FastifyRequest): Promise<string> {
  if (!request.isMultipart()) throw new PosternError('unsupported-media-type', 'Send the file as multipart/form-data.');
  const part = await request.file({ limits: { fileSize: LARGEST_XLIFF, files: 1, fields: 0, parts: 1 } });
  if (!part) throw new PosternError('bad-request', 'There is no file in it.');
  const bytes = await part.toBuffer();
  if (part.file.truncated) throw new PosternError('body-too-large', 'The file may have 2 MB at most.');
  return bytes.toString('utf8');
}
