import { Column, DefaultNamingStrategy, PrimaryColumn } from 'typeorm';

/** Column types that mean the same on SQLite and Postgres. */

/** An id made by `newId`; also any other short text that is looked up. */
export const IdColumn = () => PrimaryColumn({ type: 'text' });
export const TextColumn = () => Column({ type: 'text' });
export const OptionalTextColumn = () => Column({ type: 'text', nullable: true });
export const FlagColumn = () => Column({ type: 'boolean' });
export const CountColumn = () => Column({ type: 'integer' });
export const OptionalCountColumn = () => Column({ type: 'integer', nullable: true });
/** A count or time of a column that came to a table with rows in it. */
export const AddedCountColumn = () => Column({ type: 'integer', default: 0 });

// Postgres hands a bigint over as text; a millisecond count fits a number for 285,000 years.
const numeric = { to: (value: unknown) => value, from: (value: unknown) => (value === null ? null : Number(value)) };

/** Milliseconds since 1970: the application's clock makes every time, and both databases compare it alike. */
export const TimeColumn = () => Column({ type: 'bigint', transformer: numeric });
export const AddedTimeColumn = () => Column({ type: 'bigint', default: 0, transformer: numeric });
export const OptionalTimeColumn = () => Column({ type: 'bigint', nullable: true, transformer: numeric });

/** A value kept as JSON text. */
export const JsonColumn = () => Column({ type: 'simple-json' });

/** A list that a later migration added: empty in the rows that were there. */
export const AddedListColumn = () => Column({ type: 'simple-json', default: '[]' });

/** `createdAt` in the code is `created_at` in the database, so that an operator's SQL needs no quotes. */
export class SnakeCaseNames extends DefaultNamingStrategy {
  override columnName(property: string, custom: string | undefined, prefixes: string[]): string {
    return [...prefixes, custom ?? property].join('_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
}
