import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import {
  CountColumn,
  IdColumn,
  JsonColumn,
  OptionalTextColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';

/** A brand as it was edited: what was there before stays below it, what is shipped stays below all. Append-only. Unique: brand + version. */
@Entity('brand_editions')
@Index('brand_editions_brand_version_key', ['brand', 'version'], { unique: true })
@Index('brand_editions_logo_hash_idx', ['logoHash'])
export class BrandEdition {
  @IdColumn() id: Id<'bed'>;
  @TextColumn() brand: string;
  /** 1, 2, 3, … */
  @CountColumn() version: number;
  /** What a `brand.json` may hold, logo aside; checked when it was written. */
  @JsonColumn() settings: Record<string, unknown>;
  /** PNG in base64; null: without a logo. */
  @OptionalTextColumn() logo: string | null;
  /** In the path that mails name it by. */
  @OptionalTextColumn() logoHash: string | null;
  @TextColumn() madeBy: string;
  @TimeColumn() madeAt: number;
  /** From then on it is used, by every process at once. */
  @TimeColumn() usedFrom: number;
}
