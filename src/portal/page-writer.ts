import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { gzipSync } from 'node:zlib';
import type { OpenSession } from '../access/session.js';
import { Config } from '../config.js';
import type { Source } from '../sources.js';
import { Clock } from '../platform/clock.js';
import type { Brand } from '../templates/brand.js';
import { Brands, type Logo } from '../templates/brands.js';
import { templatesDir } from '../templates/templates.module.js';
import { PublishedWords } from '../templates/published.js';
import type { Participant } from '../tickets/ticket.entity.js';
import { assetOf, brandCss, loadAssets, type Asset } from './page-files.js';
import type { NoticeView, PageName, PageViews, SharedView } from './page-views.js';
import { GuestPages } from './pages.js';
import { shownPath } from './shown-path.js';
import { acceptedLanguages, Visitors } from './visitor.js';

/** What a page is about, as far as it is known: it gives brand, language and time zone. */
export interface PageSubject {
  source?: Source;
  participant?: Pick<Participant, 'locale' | 'timeZone'>;
  /** The language that the person chose. */
  chosenLocale?: string | null;
  session?: OpenSession | null;
}

interface PageBrand {
  brand: Brand;
  logo: string | null;
  css: Asset;
  /** What pages and mails load of it. */
  assets: Asset[];
}

/** Writes whole pages with their headers. */
@Injectable()
export class PageWriter {
  readonly pages: GuestPages;
  private readonly named: Map<string, Asset>;
  /** The same by their paths. */
  private readonly files: Map<string, Asset>;
  /** An edited brand is another one. */
  private readonly looks = new WeakMap<Brand, PageBrand>();

  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
    private readonly visitors: Visitors,
    private readonly brands: Brands,
    published: PublishedWords,
  ) {
    this.pages = GuestPages.load({ templatesDir, defaultLocale: config.defaultLocale });
    this.pages.use(published.texts);
    published.onChange(() => this.pages.use(published.texts));
    this.named = loadAssets(templatesDir);
    this.files = new Map([...this.named.values()].map((asset) => [asset.path, asset]));
  }

  /** The language of a page: the first that there are words in of the one chosen here, the person's, the browser's, the source's. */
  locale(request: FastifyRequest, reply: FastifyReply, subject: PageSubject): string {
    const { chosenLocale, participant, source } = subject;
    return this.pages.resolveLocale(
      this.visitors.language(request, reply),
      chosenLocale ?? null,
      participant?.locale ?? this.visitors.guestLanguage(request),
      ...acceptedLanguages(request),
      source?.defaultLocale,
    );
  }

  async send<K extends PageName>(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    page: K,
    view: PageViews[K],
    subject: PageSubject = {},
  ): Promise<void> {
    const locale = this.locale(request, reply, subject);
    const html = this.pages.render(page, locale, view, {
      ...this.dress(subject.source?.brand ?? 'default'),
      formToken: this.visitors.formToken(request, reply, subject.session ?? null),
      path: shownPath(request),
      languageAction: languageAction(request, subject),
      languageKept: (request.query as { language?: unknown }).language === 'kept' && subject.chosenLocale === locale,
      helpHref: '/help',
      checkHref: '/check',
      timeZone: subject.participant?.timeZone ?? null,
    });
    // Browsers hold form-action against the redirect after the form as well: the right code leads to the source's page.
    const { ticketPage } = subject.source ?? {};
    if (page === 'code' && ticketPage)
      void reply.header(
        'content-security-policy',
        String(reply.getHeader('content-security-policy')).replace("form-action 'self'", `$& ${ticketPage.origin}`),
      );
    await reply
      .status(status)
      .header('content-type', 'text/html; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('content-language', locale)
      .header('vary', 'accept-language, cookie')
      .send(html);
  }

  /** A page as a guest would see it, for those who write its sentences: its forms lead nowhere, and its ticket is a sample. */
  sample<K extends PageName>(
    pages: GuestPages,
    page: K,
    locale: string,
    view: PageViews[K],
    brandName: string,
  ): string {
    return pages.render(page, locale, view, {
      ...this.dress(brandName),
      formToken: 'sample',
      path: '/',
      languageAction: '#',
      helpHref: '#',
      checkHref: '#',
      timeZone: 'UTC',
    });
  }

  notice(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    view: NoticeView,
    subject: PageSubject = {},
  ): Promise<void> {
    return this.send(request, reply, status, 'notice', view, subject);
  }

  /** What a page or mail loads from this path. What a brand adds may be asked for here though another process wrote it. */
  async asset(path: string): Promise<Asset | null> {
    const atHand = this.files.get(path) ?? this.brandAsset(path);
    if (atHand) return atHand;
    const [, hash] = /^\/assets\/([0-9a-f]{16})\/logo\.png$/.exec(path) ?? [];
    const logo = hash === undefined ? null : await this.brands.formerLogo(hash);
    return logo && assetOfLogo(logo);
  }

  private brandAsset(path: string): Asset | undefined {
    for (const brand of this.brands.all()) {
      const found = this.look(brand).assets.find((asset) => asset.path === path);
      if (found) return found;
    }
    return undefined;
  }

  /** How all pages of a brand look, and what they load, as of now. */
  private dress(brandName: string): Pick<SharedView, 'brand' | 'assets' | 'now'> {
    const { brand, logo, css } = this.look(this.brands.get(brandName));
    const path = (name: string) => this.named.get(name)!.path;
    return {
      brand: {
        name: brand.name,
        accent: brand.light.accent,
        accentDark: brand.dark.accent,
        logo,
        contact: brand.contact ?? null,
      },
      assets: {
        style: path('postern.css'),
        script: path('postern.js'),
        icon: path('favicon.svg'),
        brandStyle: css.path,
      },
      now: new Date(this.clock.now()),
    };
  }

  private look(brand: Brand): PageBrand {
    const known = this.looks.get(brand);
    if (known) return known;
    const content = Buffer.from(brandCss({ accent: brand.light.accent, accentDark: brand.dark.accent }));
    const css = assetOf(`brand-${brand.key}.css`, content);
    const logo = this.brands.logo(brand);
    // Mails load it from its path; a page has so small a picture in itself: one request less, and nothing to guess.
    const url = logo && `data:${logo.type};base64,${logo.content.toString('base64')}`;
    const look = { brand, css, logo: url, assets: [css, ...(logo ? [assetOfLogo(logo)] : [])] };
    this.looks.set(brand, look);
    return look;
  }
}

function assetOfLogo(logo: Logo): Asset {
  return { name: 'logo', gzipped: gzipSync(logo.content), ...logo };
}

/** Where the language is changed: for the person, where a session or the link of this page says who it is. */
function languageAction(request: FastifyRequest, { session }: PageSubject): string {
  if (session) return `/tickets/${session.ticketId}/language`;
  return `${/^\/t\/[^/?]+/.exec(request.url)?.[0] ?? ''}/language`;
}
