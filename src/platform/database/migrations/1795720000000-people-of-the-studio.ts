import { Table, TableIndex, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';

const id: TableColumnOptions = { name: 'id', type: 'text', isPrimary: true };
const text = (name: string): TableColumnOptions => ({ name, type: 'text' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true });

interface Shape {
  columns: TableColumnOptions[];
  unique?: string[][];
  indexed?: string[];
}

const tables: Record<string, Shape> = {
  studio_people: {
    columns: [
      id,
      ...['email', 'email_key', 'name', 'roles'].map(text),
      optional(text('oidc_subject')),
      time('created_at'),
      optional(time('blocked_at')),
      optional(time('removed_at')),
    ],
    unique: [['email_key'], ['oidc_subject']],
  },
  studio_invitations: {
    columns: [
      id,
      text('token_hash'),
      optional(text('open_key')),
      optional(text('email')),
      ...['name', 'roles', 'invited_by'].map(text),
      time('created_at'),
      time('expires_at'),
      optional(time('used_at')),
    ],
    unique: [['token_hash'], ['open_key']],
  },
  studio_passkeys: {
    columns: [
      id,
      ...['person_id', 'credential_id', 'public_key'].map(text),
      time('counter'),
      ...['transports', 'name'].map(text),
      { name: 'backed_up', type: 'boolean' },
      time('created_at'),
      optional(time('last_used_at')),
    ],
    unique: [['credential_id']],
    indexed: ['person_id'],
  },
  studio_challenges: {
    columns: [
      id,
      ...['challenge_hash', 'kind', 'browser_hash'].map(text),
      optional(text('person_id')),
      optional(text('invitation_id')),
      time('expires_at'),
      optional(time('used_at')),
    ],
    unique: [['challenge_hash']],
    indexed: ['expires_at'],
  },
  studio_sessions: {
    columns: [
      id,
      ...['token_hash', 'person_id', 'browser'].map(text),
      ...['created_at', 'last_used_at', 'expires_at'].map(time),
      optional(time('ended_at')),
    ],
    unique: [['token_hash']],
    indexed: ['person_id'],
  },
  brand_editions: {
    columns: [
      id,
      text('brand'),
      { name: 'version', type: 'integer' },
      text('settings'),
      optional(text('logo')),
      text('made_by'),
      time('made_at'),
      time('used_from'),
    ],
    unique: [['brand', 'version']],
  },
};

/** Who may come into the studio, how, and the brands that they edit. */
export class PeopleOfTheStudio1795720000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [name, { columns, unique = [], indexed = [] }] of Object.entries(tables)) {
      await runner.createTable(new Table({ name, columns }));
      for (const columnNames of unique)
        await runner.createIndex(
          name,
          new TableIndex({ name: `${name}_${columnNames.join('_')}_key`, columnNames, isUnique: true }),
        );
      for (const column of indexed)
        await runner.createIndex(name, new TableIndex({ name: `${name}_${column}_idx`, columnNames: [column] }));
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(tables).toReversed()) await runner.dropTable(name);
  }
}
