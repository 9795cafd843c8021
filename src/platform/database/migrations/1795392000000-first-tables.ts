import { Table, TableIndex, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';

// Types that both databases have, in TypeORM's own words, so that one migration serves both.
const text = (name: string): TableColumnOptions => ({ name, type: 'text' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
const count = (name: string): TableColumnOptions => ({ name, type: 'integer' });
const flag = (name: string): TableColumnOptions => ({ name, type: 'boolean' });
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true });
const id: TableColumnOptions = { name: 'id', type: 'text', isPrimary: true };

interface Shape {
  columns: TableColumnOptions[];
  unique?: string[][];
  indexes?: { on: string[]; where?: string }[];
}

const tables: Record<string, Shape> = {
  events: {
    columns: [
      id,
      text('source'),
      text('source_event_id'),
      text('body_hash'),
      text('type'),
      text('source_ticket_id'),
      time('occurred_at'),
      time('received_at'),
    ],
    unique: [['source', 'source_event_id']],
    indexes: [{ on: ['source', 'source_ticket_id'] }],
  },
  tickets: {
    columns: [
      id,
      text('source'),
      text('source_ticket_id'),
      text('number'),
      text('subject'),
      text('status'),
      optional(time('version')),
      optional(text('url')),
      time('created_at'),
      time('updated_at'),
      optional(time('deleted_at')),
      optional(text('merged_into')),
      text('stated'),
    ],
    unique: [['source', 'source_ticket_id']],
  },
  participants: {
    columns: [
      id,
      text('ticket_id'),
      text('role'),
      text('kind'),
      optional(text('account_id')),
      text('email'),
      text('email_key'),
      text('name'),
      optional(text('locale')),
      optional(text('time_zone')),
      count('generation'),
      optional(time('ended_at')),
      flag('listed'),
      text('stated'),
    ],
    unique: [['ticket_id', 'email_key']],
  },
  messages: {
    columns: [
      id,
      text('ticket_id'),
      text('source_message_id'),
      text('author_kind'),
      text('author_name'),
      optional(text('author_key')),
      text('body'),
      text('format'),
      optional(text('reply_id')),
      time('created_at'),
      optional(time('edited_at')),
      optional(time('retracted_at')),
      flag('hidden'),
      optional(time('told_at')),
      text('stated'),
    ],
    unique: [['ticket_id', 'source_message_id']],
    indexes: [{ on: ['ticket_id', 'created_at'] }],
  },
  attachments: {
    columns: [
      id,
      text('ticket_id'),
      optional(text('message_id')),
      optional(text('reply_id')),
      count('position'),
      text('name'),
      text('content_type'),
      optional(time('size')),
      optional(text('url')),
      optional(text('file')),
      optional(text('sha256')),
    ],
    indexes: [{ on: ['ticket_id'] }],
  },
  replies: {
    columns: [id, text('ticket_id'), text('participant_id'), text('body'), text('form_key'), time('created_at')],
    unique: [['form_key']],
    indexes: [{ on: ['ticket_id', 'created_at'] }],
  },
  deliveries: {
    columns: [
      id,
      text('lane'),
      text('channel'),
      optional(text('event_id')),
      text('ticket_id'),
      text('participant_id'),
      optional(text('challenge_id')),
      text('template_key'),
      text('template_revision'),
      text('locale'),
      text('locale_reason'),
      text('recipient'),
      text('inputs'),
      text('state'),
      count('attempts'),
      time('created_at'),
      time('next_attempt_at'),
      optional(time('ended_at')),
    ],
    indexes: [
      { on: ['ticket_id'] },
      // Only what may become due is in it: finding work costs the same beside a million finished rows.
      { on: ['lane', 'next_attempt_at'], where: 'ended_at IS NULL' },
    ],
  },
  attempts: {
    columns: [
      id,
      text('delivery_id'),
      count('number'),
      text('transport'),
      text('outcome'),
      text('detail'),
      time('started_at'),
      time('ended_at'),
    ],
    indexes: [{ on: ['delivery_id'] }],
  },
  challenges: {
    columns: [
      id,
      text('ticket_id'),
      text('participant_id'),
      count('generation'),
      text('purpose'),
      text('reference'),
      text('code_mac'),
      text('code_kid'),
      optional(text('sealed_code')),
      count('tries'),
      time('created_at'),
      time('expires_at'),
      optional(time('used_at')),
      optional(time('superseded_at')),
    ],
    indexes: [{ on: ['participant_id', 'created_at'] }],
  },
  sessions: {
    columns: [
      id,
      text('token_hash'),
      text('ticket_id'),
      text('participant_id'),
      count('generation'),
      time('created_at'),
      time('last_used_at'),
      time('expires_at'),
      optional(time('ended_at')),
    ],
    unique: [['token_hash']],
  },
  limits: {
    columns: [{ name: 'key', type: 'text', isPrimary: true }, time('window_started_at'), count('count')],
  },
  outbound_messages: {
    columns: [
      id,
      text('source'),
      text('type'),
      optional(text('subject_id')),
      text('data'),
      text('state'),
      count('attempts'),
      time('created_at'),
      time('next_attempt_at'),
      optional(time('ended_at')),
    ],
    indexes: [{ on: ['next_attempt_at'], where: 'ended_at IS NULL' }, { on: ['subject_id'] }],
  },
  outbound_attempts: {
    columns: [
      id,
      text('message_id'),
      count('number'),
      count('status'),
      text('outcome'),
      time('started_at'),
      time('ended_at'),
    ],
    indexes: [{ on: ['message_id'] }],
  },
};

export class FirstTables1795392000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [name, { columns, unique = [], indexes = [] }] of Object.entries(tables)) {
      await runner.createTable(new Table({ name, columns }));
      for (const columnNames of unique)
        await runner.createIndex(
          name,
          new TableIndex({ name: `${name}_${columnNames.join('_')}_key`, columnNames, isUnique: true }),
        );
      for (const { on, where } of indexes)
        await runner.createIndex(name, new TableIndex({ name: `${name}_${on.join('_')}_idx`, columnNames: on, where }));
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(tables).reverse()) await runner.dropTable(name);
  }
}
