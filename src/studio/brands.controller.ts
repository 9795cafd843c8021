import type {} from '@fastify/multipart';
import { Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { studioBrandLimit, studioUploadLimit, takeLimits } from '../access/limits.js';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { parseMailbox, type EmailAddress } from '../platform/address.js';
import { audit } from '../platform/audit.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { checkBrand, type BrandProblem, type BrandSettings } from '../templates/brand.js';
import { Brands, settingsOf, type Look } from '../templates/brands.js';
import { readJson } from './json-body.js';
import { LARGEST_UPLOAD, readLogo } from './logo.js';
import { People } from './people.js';
import { EVERY_BRAND, mayDo, type RoleOfBrand } from './roles.js';
import { Needs, signedIn, StudioGuard } from './studio.guard.js';

const version = z.int().min(0);
const editShape = z.looseObject({ version });
const rollbackShape = z.object({ version, to: version });

/** What is asked of a brand, and what to call it in the audit log. */
interface Change {
  version: number;
  /** Null: as it is shipped. */
  make: (before: Look) => Look | null;
  action: string;
  detail: (before: Look) => string;
}

/** How mails and pages look and who sends them: edited over what is shipped, checked as that is, and never lost. */
@Controller('studio/api/brands')
@UseGuards(StudioGuard)
export class BrandsController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly brands: Brands,
    private readonly people: People,
  ) {}

  @Get()
  @Needs('editor', 'any')
  async list(@Req() request: FastifyRequest): Promise<object[]> {
    await this.brands.refresh();
    const { roles } = signedIn(request);
    const theirs = this.brands.keys().filter((key) => mayDo(roles, 'editor', key));
    return Promise.all(theirs.map((key) => this.view(key)));
  }

  /** Everything but the logo. */
  @Put(':key')
  @Needs('publisher', 'key')
  async edit(@Param('key') key: string, @Req() request: FastifyRequest): Promise<object> {
    this.mustExist(key);
    const { version, ...given } = readJson(request, editShape);
    const settings = this.checked(key, given, signedIn(request).roles);
    return this.add(key, request, {
      version,
      make: ({ logo }) => ({ settings, logo }),
      action: 'brand.edited',
      detail: (before) => changes(before.settings, settings),
    });
  }

  /** `multipart/form-data` with the picture and, before it, the field `version`. */
  @Put(':key/logo')
  @Needs('publisher', 'key')
  async setLogo(@Param('key') key: string, @Req() request: FastifyRequest): Promise<object> {
    this.mustExist(key);
    const rules = [studioUploadLimit(this.config.secretKeys, signedIn(request).id)];
    const taken = await this.database.write((tx) => takeLimits(tx, rules, this.clock.now()));
    if (!taken.ok) throw new PosternError('too-many-requests', 'Too many logos. Wait a little.', taken);
    const { content, version } = await readUpload(request);
    const logo = await readLogo(content);
    if (!logo.ok) throw new PosternError('logo-refused', logo.detail);
    return this.add(key, request, {
      version,
      make: ({ settings }) => ({ settings, logo: logo.png }),
      action: 'brand.logo-set',
      detail: () => '',
    });
  }

  @Delete(':key/logo')
  @HttpCode(200)
  @Needs('publisher', 'key')
  removeLogo(
    @Param('key') key: string,
    @Query('version') given: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    this.mustExist(key);
    return this.add(key, request, {
      version: versionOf(given),
      make: ({ settings }) => ({ settings, logo: null }),
      action: 'brand.logo-removed',
      detail: () => '',
    });
  }

  /** Looks as it did at a version again; 0: as it is shipped. */
  @Post(':key/rollback')
  @HttpCode(200)
  @Needs('publisher', 'key')
  async rollback(@Param('key') key: string, @Req() request: FastifyRequest): Promise<object> {
    this.mustExist(key);
    const { version, to } = readJson(request, rollbackShape);
    await this.brands.refresh();
    const former = this.brands.history(key).find((one) => one.version === to);
    if (to !== 0 && !former) throw new PosternError('not-found', 'There is no such version at hand.');
    const isShipped = !former || Object.keys(former.settings).length === 0;
    const look = isShipped
      ? null
      : { settings: settingsOf(former.look), logo: this.brands.logo(former.look)?.content ?? null };
    return this.add(key, request, {
      version,
      make: () => look,
      action: 'brand.rolled-back',
      detail: () => `to ${to}`,
    });
  }

  private async add(key: string, request: FastifyRequest, change: Change): Promise<object> {
    const { action, version } = change;
    const { id: madeBy, roles } = signedIn(request);
    const rules = [studioBrandLimit(this.config.secretKeys, madeBy)];
    const taken = await this.database.write((tx) => takeLimits(tx, rules, this.clock.now()));
    if (!taken.ok) throw new PosternError('too-many-requests', 'Too many changes of brands. Wait a little.', taken);
    const added = await this.database.write(async (tx) => {
      let detail = '';
      const made = await this.brands.add(tx, { brand: key, version, madeBy }, (before) => {
        detail = change.detail(before);
        const look = change.make(before);
        // What was good once need not be now: the operator may send from other domains since.
        if (look) this.checked(key, look.settings, roles);
        return look;
      });
      const entry = { actor: madeBy, action, subject: key, detail: `version ${made}${detail && `; ${detail}`}` };
      if (made !== null) await audit(tx, entry, this.clock.now());
      return made;
    });
    await this.brands.refresh();
    if (added !== null) return this.view(key);
    throw new PosternError('brand-conflict', 'Somebody changed it in between. Look at theirs, then save again.', {
      problems: [await this.view(key)],
    });
  }

  private async view(key: string): Promise<object> {
    const history = this.brands.history(key);
    const look = history[0]?.look ?? this.brands.shippedBrand(key);
    const names = await this.people.names(history.map(({ madeBy }) => madeBy));
    const logo = this.brands.logo(look);
    return {
      ...{ key, version: history[0]?.version ?? 0, ...settingsOf(look) },
      logo: logo && {
        ...{ width: look.logo!.width, height: look.logo!.height },
        url: `data:${logo.type};base64,${logo.content.toString('base64')}`,
      },
      sources: this.config.sources.filter(({ brand }) => brand === key).map(({ name }) => name),
      senderDomains: this.senderDomains(key),
      history: history.map(({ version, madeBy, madeAt, usedFrom }) => ({
        ...{ version, at: isoTime(madeAt), usedFrom: isoTime(usedFrom) },
        by: { id: madeBy, name: names.get(madeBy) ?? '' },
      })),
    };
  }

  private mustExist(key: string): void {
    if (!this.brands.keys().includes(key)) throw new PosternError('not-found', 'There is no such brand.');
  }

  /** Domains that the operator sends from anyway: another one would be refused by every mailbox, or forged. */
  private senderDomains(key: string): string[] {
    const { from, dkim } = this.config.mail;
    const shipped = parseMailbox(this.brands.shippedBrand(key).sender ?? '', { allowLocalhost: true });
    const domains = [
      from.address.domain,
      ...(dkim ? [dkim.domain] : []),
      ...(shipped.ok ? [shipped.address.domain] : []),
    ];
    return [...new Set(domains.map((domain) => domain.toLowerCase()))];
  }

  /** @throws PosternError `brand-refused` */
  private checked(key: string, given: Record<string, unknown>, roles: readonly RoleOfBrand[]): BrandSettings {
    const checked = checkBrand(given);
    const problems = [...(checked.ok ? [] : checked.problems), ...this.senderProblems(key, given.sender, roles)];
    if (!checked.ok || problems.length > 0) throw refused(problems);
    return checked.settings;
  }

  private senderProblems(key: string, sender: unknown, roles: readonly RoleOfBrand[]): BrandProblem[] {
    const address = addressOf(sender);
    if (address === null) return []; // none, or one whose shape is a problem already
    const domains = this.senderDomains(key);
    if (!domains.includes(address.domain.toLowerCase()))
      return [
        { place: 'sender', message: `must be an address of ${domains.join(' or ')}: an operator sets up others` },
      ];
    if (mayDo(roles, 'publisher', EVERY_BRAND)) return [];
    const sendersOf = (brand: string) =>
      [this.brands.history(brand)[0]?.look, this.brands.shippedBrand(brand)].map(
        (look) => addressOf(look?.sender)?.key,
      );
    const isAnothers = this.brands.keys().some((other) => other !== key && sendersOf(other).includes(address.key));
    if (!isAnothers || sendersOf(key).includes(address.key)) return [];
    return [
      { place: 'sender', message: 'is the address of another brand: somebody with a role for all brands sets it' },
    ];
  }
}

function addressOf(sender: unknown): EmailAddress | null {
  const parsed = typeof sender === 'string' ? parseMailbox(sender, { allowLocalhost: true }) : null;
  return parsed?.ok ? parsed.address : null;
}

function refused(problems: readonly BrandProblem[]): PosternError {
  return new PosternError('brand-refused', 'Mend what the problems name.', { problems });
}

/** Names of what differs: the log tells who changed the sender, the history what it was. */
function changes(before: BrandSettings, after: BrandSettings): string {
  const known = before as Record<string, unknown>;
  const given = after as Record<string, unknown>;
  const names = new Set([...Object.keys(known), ...Object.keys(given)]);
  return [...names].filter((name) => JSON.stringify(known[name]) !== JSON.stringify(given[name])).join(', ');
}

async function readUpload(request: FastifyRequest): Promise<{ content: Buffer; version: number }> {
  if (!request.isMultipart()) throw new PosternError('unsupported-media-type', 'Send multipart/form-data.');
  const limits = { files: 1, fields: 1, fieldSize: 20, fileSize: LARGEST_UPLOAD, parts: 2 };
  try {
    const file = await request.file({ limits });
    if (!file) throw new PosternError('invalid-request', 'Send the picture as a file.');
    const content = await file.toBuffer();
    if (file.file.truncated) throw new PosternError('body-too-large', 'A logo may have 512 KB at most.');
    const field = file.fields.version;
    const value = field && !Array.isArray(field) && field.type === 'field' ? field.value : undefined;
    return { content, version: versionOf(value) };
  } catch (error) {
    if (error instanceof PosternError) throw error;
    throw new PosternError('bad-request', 'The form broke off or is malformed.', {}, { cause: error });
  }
}

function versionOf(given: unknown): number {
  const parsed = z.coerce.number().int().min(0).safeParse(given);
  if (given === undefined || !parsed.success)
    throw new PosternError('invalid-request', 'Send the version that you looked at.');
  return parsed.data;
}
