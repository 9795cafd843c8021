import { Body, Controller, Param, Post, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { parseUrl } from '../platform/url.js';
import { chooseLanguage } from '../tickets/language-choices.js';
import { Doors, seeOther } from './doors.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { Rooms } from './rooms.js';
import { Visitors } from './visitor.js';

/** `path`: the page that the form stands on. */
type LanguageForm = { formToken?: string; language?: string; path?: string } | undefined;

/** Where the page's own paths are resolved, to see that they are paths. */
const HERE = 'http://here.invalid';

/**
 * The chooser at the foot of every page. It changes the browser's language, and where the person is known, by the link or
 * by a session, that of all later mails to their address.
 */
@Controller()
@UseFilters(PageErrorFilter)
export class LanguageController {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly doors: Doors,
    private readonly rooms: Rooms,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
  ) {}

  @Post('language')
  async ofBrowser(
    @Body() form: LanguageForm,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.visitors.checkOrigin(request);
    this.visitors.checkFormToken(request, null, form?.formToken);
    await this.change(reply, form, { within: '/' });
  }

  /** The link alone will do, an expired one too: what it changes is no secret, and the next mail shows it. */
  @Post('t/:token/language')
  async byLink(
    @Param('token') token: string,
    @Body() form: LanguageForm,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.visitors.checkOrigin(request);
    this.visitors.checkFormToken(request, null, form?.formToken);
    const door = await this.doors.find(token);
    await this.change(reply, form, { within: `/t/${token}`, emailKey: door?.participant.emailKey });
  }

  @Post('tickets/:id/language')
  async bySession(
    @Param('id') id: string,
    @Body() form: LanguageForm,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enterByForm(id, form, request, reply);
    if (!room) return;
    await this.change(reply, form, { within: `/tickets/${id}`, emailKey: room.participant.emailKey });
  }

  /** Keeps the choice and leads back to the page it was made on, which says so. */
  private async change(
    reply: FastifyReply,
    form: LanguageForm,
    { within, emailKey }: { within: string; emailKey?: string },
  ): Promise<void> {
    const locale = this.writer.pages.locales().find(({ tag }) => tag === form?.language)?.tag;
    if (locale === undefined) throw new PosternError('bad-request', 'There are no pages in this language.');
    if (emailKey !== undefined)
      await this.database.write((tx) => chooseLanguage(tx, emailKey, { locale, now: this.clock.now() }));
    this.visitors.keepLanguage(reply, locale);
    const page = pageWithin(within, form?.path);
    page.searchParams.delete('lang');
    if (emailKey !== undefined) page.searchParams.set('language', 'kept');
    await seeOther(reply, page.pathname + page.search);
  }
}

/** The page that was named, if it is one of ours below that path; else the page of that path. Nobody is sent elsewhere. */
function pageWithin(within: string, given: unknown): URL {
  const url = typeof given === 'string' ? parseUrl(HERE + given) : null;
  const isOurs = url?.origin === HERE && url.pathname.startsWith(within) && !url.pathname.startsWith('//');
  return isOurs ? url : new URL(within, HERE);
}
