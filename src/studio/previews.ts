import { Injectable } from '@nestjs/common';
import { PosternError } from '../errors.js';
import { Clock } from '../platform/clock.js';
import { textDirection } from '../platform/locale.js';
import { PageWriter } from '../portal/page-writer.js';
import type { GuestPages } from '../portal/pages.js';
import type { PageName, PageViews } from '../portal/page-views.js';
import type { Brand } from '../templates/brand.js';
import { Brands } from '../templates/brands.js';
import { type EncodedMail, TemplateCatalogue, TemplateProblems } from '../templates/catalogue.js';
import { PublishedWords } from '../templates/published.js';
import { sampleKinds } from '../templates/samples.js';
import { templatesDir } from '../templates/templates.module.js';
import type { MailValues, TemplateKey } from '../templates/values.js';
import type { WordsKey } from '../templates/words-texts.js';
import { lengthFault } from '../translations/check-text.js';
import { problemsIn } from './problems.js';
import { wordsRefused } from './words-desk.js';
import type { Place } from './words-drafts.js';

export interface PreviewRequest extends Place {
  /** Without it the words in force. */
  text?: string;
  brand: string;
  sample: number;
  /** Over those of the sample. */
  values?: Record<string, string | number | boolean>;
}

export interface Preview {
  subject: string;
  preheader: string;
  html: string;
  text: string;
  dir: 'ltr' | 'rtl';
  locale: string;
}

/** The mail that shows the words around all mails. */
const SHOWN_IN_FRAME = 'ticket-replied' satisfies TemplateKey;

/** Words with sample values, by the code that writes the real mails and pages. No guest's data come near it. */
@Injectable()
export class Previews {
  private readonly pages: GuestPages;

  constructor(
    private readonly clock: Clock,
    private readonly catalogue: TemplateCatalogue,
    private readonly brands: Brands,
    private readonly published: PublishedWords,
    private readonly writer: PageWriter,
  ) {
    this.pages = writer.pages.over(published.texts);
  }

  samples(key: WordsKey): { about: string }[] {
    if (key === 'pages') return pageSamples(this.clock.now()).map(({ about }) => ({ about }));
    return sampleKinds(templatesDir, mailOf(key), this.brand('default')).map(({ about, values }) => {
      const { brand: _, ...own } = values as MailValues & Record<string, unknown>;
      return { about, values: own };
    });
  }

  show(request: PreviewRequest): Preview {
    return request.key === 'pages' ? this.page(request) : this.mail(request);
  }

  private mail(request: PreviewRequest): Preview {
    const { key, locale } = request;
    return this.guarded(request, () => this.catalogueFor(request).render(mailOf(key), locale, this.values(request)));
  }

  /** The mail as it would travel, of the same words and values. */
  encode(request: PreviewRequest): { mail: EncodedMail; brand: Brand } {
    const { key, locale, brand } = request;
    const values = this.values(request);
    const mail = this.guarded(request, () => this.catalogueFor(request).encode(mailOf(key), locale, values));
    return { mail, brand: this.brand(brand) };
  }

  private catalogueFor({ key, locale, text }: PreviewRequest): TemplateCatalogue {
    return text === undefined ? this.catalogue : this.catalogue.over(this.published.texts.with(key, locale, text));
  }

  private values({ key, brand, sample, values }: PreviewRequest): MailValues {
    const kinds = sampleKinds(templatesDir, mailOf(key), this.brand(brand));
    const chosen = kinds[sample];
    if (!chosen) throw new PosternError('invalid-request', `There is no sample ${sample}.`);
    // Only what the sample has, and nothing that leads anywhere: a preview is no way to make a link of ours.
    const own = Object.entries(values ?? {}).filter(
      ([name, value]) =>
        name !== 'link' &&
        name !== 'checkUrl' &&
        typeof value === typeof (chosen.values as unknown as Record<string, unknown>)[name],
    );
    return { ...chosen.values, ...Object.fromEntries(own) } as MailValues;
  }

  private page({ locale, text, sample, brand }: PreviewRequest): Preview {
    const chosen = pageSamples(this.clock.now())[sample];
    if (!chosen) throw new PosternError('invalid-request', `There is no sample ${sample}.`);
    this.brand(brand);
    const { texts } = this.published;
    this.pages.use(text === undefined ? texts : texts.with('pages', locale, text));
    const html = this.writer.sample(this.pages, chosen.page, locale, chosen.view as PageViews[PageName], brand);
    return { subject: '', preheader: '', html, text: '', dir: textDirection(locale), locale };
  }

  private guarded<T>({ key, text = '' }: PreviewRequest, work: () => T): T {
    const tooLong = lengthFault(key, text);
    if (tooLong) throw wordsRefused([{ line: 1, column: 1, severity: 'error', message: tooLong }]);
    try {
      return work();
    } catch (error) {
      if (error instanceof TemplateProblems)
        throw wordsRefused(
          problemsIn(
            text,
            error.problems.map((one) => ({ ...one, severity: 'error' as const, about: '' })),
          ),
        );
      if (error instanceof RangeError) throw new PosternError('invalid-request', error.message);
      throw error;
    }
  }

  private brand(name: string): Brand {
    if (!this.brands.keys().includes(name)) throw new PosternError('invalid-request', 'There is no such brand.');
    return this.brands.get(name);
  }
}

function mailOf(key: WordsKey): TemplateKey {
  return key === '_frame' || key === 'pages' ? SHOWN_IN_FRAME : key;
}

interface PageSample {
  about: string;
  page: PageName;
  view: object;
}

const ADDRESS = 's***i@e***.com';
const NUMBER = '12345';
const MINUTE = 60_000;

/** Pages in the states that a guest meets most. */
function pageSamples(now: number): PageSample[] {
  const code = {
    ...{ ticketNumber: NUMBER, maskedAddress: ADDRESS, reference: 'XK4', verifyAction: '#', resendAction: '#' },
    ...{ resendInSeconds: 42, expiresAt: new Date(now + 10 * MINUTE) },
  };
  const message = (kind: 'agent' | 'requester', bodyHtml: string, minutes: number) => ({
    ...{
      author: { name: kind === 'agent' ? 'Rina' : 'Siti', kind },
      mine: kind === 'requester',
      at: new Date(now - minutes * MINUTE),
    },
    ...{ bodyHtml, edited: false, retracted: false, attachments: [], state: null },
  });
  const reply = {
    ...{ action: '#', formKey: 'sample', body: '', errors: [], accept: '.pdf,.png,.jpg' },
    ...{ maxFiles: 5, maxFileBytes: 10_485_760, maxTotalBytes: 26_214_400 },
  };
  const ticket = {
    ...{ number: NUMBER, subject: 'Withdrawal pending', status: 'open', logoutAction: '#', reply },
    messages: [message('requester', '<p>TRX-8841</p>', 120), message('agent', '<p>TRX-8841?</p>', 5)],
  };
  const notices = ['expired', 'code-dead', 'too-many-tries', 'session-ended', 'not-found', 'error'] as const;
  return [
    {
      about: 'landing',
      page: 'landing',
      view: { ticketNumber: NUMBER, maskedAddress: ADDRESS, sendAction: '#', notMineAction: '#', stopAction: '#' },
    },
    { about: 'code', page: 'code', view: { ...code, notice: 'sent' } },
    { about: 'code, wrong', page: 'code', view: { ...code, error: 'wrong', triesLeft: 3 } },
    { about: 'ticket', page: 'ticket', view: ticket },
    { about: 'ticket, closed', page: 'ticket', view: { ...ticket, status: 'closed', reply: null } },
    { about: 'check', page: 'check', view: { typed: '' } },
    { about: 'help', page: 'help', view: {} },
    ...notices.map((kind): PageSample => ({
      about: `notice: ${kind}`,
      page: 'notice',
      view: { kind, action: kind === 'expired' || kind === 'code-dead' ? '#' : null, errorId: 'err_sample' },
    })),
  ];
}
