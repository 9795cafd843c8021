import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { imageSize } from 'image-size';
import type { Config } from '../config.js';
import { newId } from '../ids.js';
import type { Clock } from '../platform/clock.js';
import type { Database, Transaction } from '../platform/database/database.js';
import { insertNew, run, selectRows } from '../platform/database/rows.js';
import type { Logger } from '../platform/logger.js';
import { loadBrand, type Brand, type BrandSettings } from './brand.js';
import { BrandEdition } from './brand-edition.entity.js';

const LOOK_EVERY_MS = 3_000;
/** By then every process has looked: from that moment on all of them use a new edition, and a mail tried twice is the same. */
const USED_AFTER_MS = 6_000;
/** Of each brand, that are kept at hand; older ones are read from their table by the few mails that still want them. */
const KEPT_EDITIONS = 20;
const EDITED_LOGO = 'logo.png';
/** A logo is made twice as large as it is shown. */
const LOGO_SCALE = 2;

/** What a brand's logo is, and where browsers and mail programs get it. */
export interface Logo {
  /** `/assets/<hash>/logo.png`: another picture has another path. */
  path: string;
  type: string;
  content: Buffer;
}

export interface NewEdition {
  brand: string;
  /** That it was made from; 0: what is shipped. */
  version: number;
  madeBy: string;
}

/** What is edited of a brand. */
export interface Look {
  settings: BrandSettings;
  /** PNG */
  logo: Buffer | null;
}

interface Edition {
  version: number;
  usedFrom: number;
  brand: Brand;
  row: BrandEdition;
}

/**
 * The one door to how things look: brands as they are shipped in `templates/brands`, and over them what was edited.
 * Every process looks for new editions by one cheap query every few seconds.
 */
export class Brands implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly shipped = new Map<string, Brand>();
  private readonly editions = new Map<string, Edition[]>();
  private readonly logos = new WeakMap<Brand, Logo | null>();
  private timer: NodeJS.Timeout | undefined;

  /** @throws Error if a shipped brand that a source uses cannot be used: that stops the start, not its first mail */
  constructor(
    private readonly templatesDir: string,
    config: Pick<Config, 'sources'>,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    for (const key of new Set(['default', ...config.sources.map(({ brand }) => brand)])) this.shippedBrand(key);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.refresh();
    this.timer = setInterval(
      // What was known before is used until it succeeds.
      () => void this.refresh().catch((error: unknown) => this.logger.warn('brands were not looked at', { error })),
      LOOK_EVERY_MS,
    );
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Names of all that there are. */
  keys(): string[] {
    const dir = join(this.templatesDir, 'brands');
    return readdirSync(dir)
      .filter((key) => existsSync(join(dir, key, 'brand.json')))
      .sort();
  }

  /** How it looks now. The same edition is always the same object. @throws Error if there is no such brand */
  get(key: string): Brand {
    return this.kept(key, this.clock.now()) ?? this.shippedBrand(key);
  }

  /** How it looked at that moment: whatever is written again, is written the same, after however many edits. */
  async at(key: string, time: number): Promise<Brand> {
    const kept = this.kept(key, time);
    if (kept) return kept;
    const [oldest] = this.editions.get(key) ?? [];
    if (!oldest || oldest.version === 1) return this.shippedBrand(key);
    const where = 'WHERE brand = ? AND used_from <= ? ORDER BY version DESC LIMIT 1';
    const [row] = await this.database.read((manager) => selectRows(manager, BrandEdition, where, [key, time]));
    return row ? this.edition(row).brand : this.shippedBrand(key);
  }

  /** The logo of an edition that is not at hand any more, by the hash in its path: mails are read for years. */
  async formerLogo(hash: string): Promise<Logo | null> {
    const [row] = await this.database.read((manager) =>
      selectRows(manager, BrandEdition, 'WHERE logo_hash = ? LIMIT 1', [hash]),
    );
    return row ? logoOf(Buffer.from(row.logo!, 'base64'), EDITED_LOGO) : null;
  }

  /** Every look that is at hand: shipped, and each edition. */
  all(): Brand[] {
    return [...this.shipped.values(), ...[...this.editions.values()].flat().map(({ brand }) => brand)];
  }

  logo(brand: Brand): Logo | null {
    const known = this.logos.get(brand);
    if (known !== undefined) return known;
    const made = brand.logo
      ? logoOf(readFileSync(join(this.templatesDir, 'brands', brand.key, brand.logo.file)), brand.logo.file)
      : null;
    this.logos.set(brand, made);
    return made;
  }

  /** @throws Error if there is no such brand */
  shippedBrand(key: string): Brand {
    const known = this.shipped.get(key);
    if (known) return known;
    const brand = loadBrand(this.templatesDir, key);
    this.shipped.set(key, brand);
    return brand;
  }

  /** Editions that are at hand, the newest first, whether they are used yet or not. */
  history(key: string): readonly (Omit<BrandEdition, 'logo'> & { look: Brand })[] {
    const editions = this.editions.get(key) ?? [];
    return editions.toReversed().map(({ row: { logo: _, ...row }, brand }) => ({ ...row, look: brand }));
  }

  /**
   * Adds an edition, if nobody has added one since `version`: the unique key decides, over all processes. Call
   * `refresh` once it is committed.
   * @param change what to make of the edition that it lies over; null: as it is shipped, again
   * @returns its version, or null if somebody was first
   */
  async add(
    tx: Transaction,
    { brand, version, madeBy }: NewEdition,
    change: (before: Look) => Look | null,
  ): Promise<number | null> {
    const now = this.clock.now();
    const [last] = await selectRows(tx, BrandEdition, 'WHERE brand = ? ORDER BY version DESC LIMIT 1', [brand]);
    if ((last?.version ?? 0) !== version) return null;
    // Not what this process has seen of it: another one may have written it a moment ago.
    const before = last ? this.edition(last).brand : this.shippedBrand(brand);
    const look = change({ settings: settingsOf(before), logo: this.logo(before)?.content ?? null });
    const id = newId('bed', now);
    const added = await insertNew(tx, BrandEdition, [
      {
        ...{ id, brand, madeBy, madeAt: now, version: version + 1 },
        settings: look?.settings ?? {},
        logo: look?.logo?.toString('base64') ?? null,
        logoHash: look?.logo ? hashOf(look.logo) : null,
        usedFrom: Math.max(now + USED_AFTER_MS, (last?.usedFrom ?? 0) + 1),
      },
    ]);
    return added.has(id) ? version + 1 : null;
  }

  /** Looks for editions that were added, here or by another process. */
  async refresh(): Promise<void> {
    const newest = await this.database.read((manager) =>
      run<{ brand: string; version: number }>(
        manager,
        'SELECT brand, MAX(version) AS version FROM brand_editions GROUP BY brand',
      ),
    );
    for (const { brand, version } of newest) {
      const known = this.editions.get(brand)?.at(-1)?.version ?? 0;
      if (version > known) await this.read(brand, Math.max(known, version - KEPT_EDITIONS));
    }
  }

  private async read(key: string, above: number): Promise<void> {
    const rows = await this.database.read((manager) =>
      selectRows(manager, BrandEdition, 'WHERE brand = ? AND version > ? ORDER BY version', [key, above]),
    );
    const known = this.editions.get(key) ?? [];
    // Two that look at once both find it: the second has nothing to add.
    const added = rows.filter(({ version }) => version > (known.at(-1)?.version ?? 0)).map((row) => this.edition(row));
    const all = [...known, ...added];
    // The one that is used now stays, however many wait for their moment.
    const used = all.findLastIndex(({ usedFrom }) => usedFrom <= this.clock.now());
    this.editions.set(key, all.slice(Math.min(Math.max(0, used), Math.max(0, all.length - KEPT_EDITIONS))));
  }

  private kept(key: string, time: number): Brand | undefined {
    return this.editions.get(key)?.findLast(({ usedFrom }) => usedFrom <= time)?.brand;
  }

  private edition(row: BrandEdition): Edition {
    const { brand: key, version, usedFrom, settings } = row;
    if (Object.keys(settings).length === 0) return { version, usedFrom, row, brand: { ...this.shippedBrand(key) } };
    const content = row.logo === null ? null : Buffer.from(row.logo, 'base64');
    const brand: Brand = { ...(settings as BrandSettings), key, ...(content && { logo: shownLogo(content) }) };
    this.logos.set(brand, content && logoOf(content, EDITED_LOGO));
    return { version, usedFrom, row, brand };
  }
}

export function settingsOf({ key: _key, logo: _logo, ...settings }: Brand): BrandSettings {
  return settings;
}

function logoOf(content: Buffer, file: string): Logo {
  const extension = file.split('.').at(-1)!;
  const type = `image/${extension === 'jpg' ? 'jpeg' : extension}`;
  return { path: `/assets/${hashOf(content)}/logo.${extension}`, type, content };
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

function shownLogo(content: Buffer): NonNullable<Brand['logo']> {
  const { width, height } = imageSize(content);
  const shown = (pixels: number) => Math.max(1, Math.round(pixels / LOGO_SCALE));
  return { file: EDITED_LOGO, width: shown(width), height: shown(height) };
}
