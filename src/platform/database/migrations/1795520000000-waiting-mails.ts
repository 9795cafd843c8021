import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const TABLE = 'deliveries';
const NAME = 'deliveries_ticket_id_participant_id_id_idx';
const columnNames = ['ticket_id', 'participant_id', 'id'];

/**
 * Whether an earlier mail is on its way must be looked for by its ticket. While the condition named the lane, Postgres
 * with old statistics took the index of what is due, and read all that waits for each mail.
 */
export class WaitingMails1795520000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await replace(runner, 'challenge_id IS NULL AND ended_at IS NULL');
  }

  async down(runner: QueryRunner): Promise<void> {
    await replace(runner, `lane = 'mail' AND ended_at IS NULL`);
  }
}

async function replace(runner: QueryRunner, where: string): Promise<void> {
  await runner.dropIndex(TABLE, NAME);
  await runner.createIndex(TABLE, new TableIndex({ name: NAME, columnNames, where }));
}
