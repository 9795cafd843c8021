import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import {
  CountColumn,
  IdColumn,
  AddedListColumn,
  AddedTimeColumn,
  JsonColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';
import type { MailSources } from './compile.js';
import type { WordsKey } from './words-texts.js';

/** One text of one key and locale. Never changed: other words are another row. Shipped ones stand here too once they were edited. */
@Entity('template_revisions')
@Index('template_revisions_content_key', ['key', 'locale', 'hash'], { unique: true })
export class TemplateRevision {
  @IdColumn() id: Id<'rev'>;
  @TextColumn() key: WordsKey;
  @TextColumn() locale: string;
  /** `wordsHash` of the text: the same words are one revision, and a text that somebody changed here is found out. */
  @TextColumn() hash: string;
  @TextColumn() text: string;
  @TextColumn() origin: 'shipped' | 'edited';
  @TimeColumn() createdAt: number;
  /** Who wrote it first; null for what was shipped. */
  @OptionalTextColumn() by: string | null;
  @OptionalTextColumn() byName: string | null;
}

/** That somebody decided which revision counts from then on. Append-only. */
@Entity('template_publications')
@Index('template_publications_place_idx', ['key', 'locale', 'id'])
export class Publication {
  @IdColumn() id: Id<'pub'>;
  @TextColumn() key: WordsKey;
  @TextColumn() locale: string;
  /** `schedule`: decided for `publishAt`; the publication itself follows then as a `publish` of its own. */
  @TextColumn() kind: 'publish' | 'rollback' | 'schedule';
  /** Null: the shipped words. */
  @OptionalTextColumn() revisionId: Id<'rev'> | null;
  /** Of the shipped words that the edit began from. */
  @OptionalTextColumn() shippedHash: string | null;
  /** Of the English words at that time: other ones make a translation stale. */
  @OptionalTextColumn() englishHash: string | null;
  @TextColumn() by: string;
  @TextColumn() byName: string;
  @TextColumn() why: string;
  @TimeColumn() at: number;
  @OptionalTimeColumn() publishAt: number | null;
}

/** Which revision counts now: one row for each key and locale that was ever published. */
@Entity('template_current')
export class CurrentWords {
  /** `placeOf` key and locale. */
  @IdColumn() id: string;
  @TextColumn() key: WordsKey;
  @TextColumn() locale: string;
  /** Null: the shipped words. */
  @OptionalTextColumn() revisionId: Id<'rev'> | null;
  @TextColumn() publicationId: Id<'pub'>;
  /** Raised by each change: by it processes find what is new to them. */
  @CountColumn() version: number;
  @TimeColumn() changedAt: number;
}

/** What is being written: one draft for each key and locale. */
@Entity('template_drafts')
@Index('template_drafts_place_key', ['key', 'locale'], { unique: true })
@Index('template_drafts_publish_at_idx', ['publishAt'], { where: "state = 'scheduled'" })
export class WordsDraft {
  @IdColumn() id: Id<'wdr'>;
  @TextColumn() key: WordsKey;
  @TextColumn() locale: string;
  @TextColumn() text: string;
  /** What it was begun from: a revision's id, or `shipped:` and the hash. */
  @TextColumn() base: string;
  @OptionalTextColumn() shippedHash: string | null;
  @OptionalTextColumn() englishHash: string | null;
  /** Raised by each change and never begun anew, so that no later draft is taken for the one that was read. */
  @CountColumn() version: number;
  /** `gone`: published or thrown away; the row keeps the count. */
  @TextColumn() state: 'draft' | 'submitted' | 'scheduled' | 'gone';
  /** Who changed the words last. */
  @TextColumn() by: string;
  @TextColumn() byName: string;
  /** Everybody who changed them since they were begun. */
  @AddedListColumn() authors: string[];
  /** Of the person who submitted it, or the reason of the one who scheduled it. */
  @TextColumn() note: string;
  @TimeColumn() at: number;
  @OptionalTimeColumn() publishAt: number | null;
  /** Who scheduled it. */
  @OptionalTextColumn() publisher: string | null;
  @OptionalTextColumn() publisherName: string | null;
  /** Why it was not published when its time came, until somebody does something about it. */
  @OptionalTextColumn() alarm: string | null;
  @OptionalTimeColumn() alarmAt: number | null;
}

/** What a mail was really compiled from, kept by the revision that its deliveries name: every later try has the same bytes. */
@Entity('template_renditions')
export class Rendition {
  /** `CompiledMail.revision`. */
  @IdColumn() id: string;
  @TextColumn() key: WordsKey;
  @TextColumn() locale: string;
  /** The words in it: of the mail and of the frame, each a revision's id or `shipped:` and the hash. */
  @JsonColumn() words: { mail: string; frame: string };
  @JsonColumn() sources: MailSources;
  @TimeColumn() createdAt: number;
  /** When a mail was last made of it, to a day: see `Renditions.keep`. */
  @AddedTimeColumn() usedAt: number;
}
