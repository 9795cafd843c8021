import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/** What was given up is found and taken up again: events that wait for a person, outbound messages that are replayed. */
export class TakenUpAgain1795730000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumns('outbound_messages', [
      new TableColumn({ name: 'attempts_before', type: 'integer', default: 0 }),
      new TableColumn({ name: 'replayed_at', type: 'bigint', isNullable: true }),
    ]);
    await runner.createIndex(
      'waiting_events',
      new TableIndex({
        name: 'waiting_events_ended_at_idx',
        columnNames: ['ended_at'],
        where: 'ended_at IS NOT NULL',
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndex('waiting_events', 'waiting_events_ended_at_idx');
    await runner.dropColumns('outbound_messages', ['attempts_before', 'replayed_at']);
  }
}
