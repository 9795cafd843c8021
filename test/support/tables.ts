import type { TestGateway } from './gateway.js';

const tables = [
  'events',
  'waiting_events',
  'tickets',
  'participants',
  'messages',
  'attachments',
  'replies',
  'solved_answers',
  'drafts',
  'readings',
  'language_choices',
  'deliveries',
  'attempts',
  'breakers',
  'feedback',
  'suppressions',
  'challenges',
  'sessions',
  'failed_tries',
  'handoffs',
  'limits',
  'outbound_messages',
  'outbound_attempts',
  'disabled_endpoints',
  'template_revisions',
  'template_publications',
  'template_current',
  'template_drafts',
  'template_renditions',
  'audit_log',
  'key_names',
  'paused_sources',
  'studio_people',
  'studio_invitations',
  'studio_passkeys',
  'studio_challenges',
  'studio_sessions',
  'brand_editions',
] as const;
export type TableName = (typeof tables)[number];

/** Rows of a table as the database has them, oldest first where ids sort. */
export function rows(
  { gateway }: Pick<TestGateway, 'gateway'>,
  table: TableName,
  where = '1 = 1',
): Promise<Record<string, unknown>[]> {
  const key =
    table === 'language_choices'
      ? 'email_key'
      : table === 'paused_sources'
        ? 'name'
        : table === 'disabled_endpoints'
          ? 'source'
          : table === 'failed_tries' || table === 'readings'
            ? 'participant_id'
            : table === 'limits' || table === 'breakers'
              ? 'key'
              : table === 'key_names'
                ? 'ring'
                : 'id';
  return gateway.database.read((manager) => manager.query(`SELECT * FROM ${table} WHERE ${where} ORDER BY ${key}`));
}

export async function count(test: Pick<TestGateway, 'gateway'>, table: TableName, where?: string): Promise<number> {
  return (await rows(test, table, where)).length;
}

/** The whole database as one text. */
export async function dump(test: Pick<TestGateway, 'gateway'>): Promise<string> {
  const parts: string[] = [];
  for (const table of tables) parts.push(`${table}\n${JSON.stringify(await rows(test, table))}`);
  return parts.join('\n');
}

/** Changes rows as nobody but a test may. */
export function change({ gateway }: Pick<TestGateway, 'gateway'>, sql: string): Promise<unknown> {
  return gateway.database.write((tx) => tx.query(sql));
}
