import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/** What the delivery engine keeps of a mail besides its state: deaths of its workers, its transport, its planned time. */
export class DeliveryEngine1795478400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumns('deliveries', [
      new TableColumn({ name: 'deaths', type: 'integer', default: 0 }),
      new TableColumn({ name: 'transport', type: 'text', isNullable: true }),
      new TableColumn({ name: 'provider_id', type: 'text', isNullable: true }),
      new TableColumn({ name: 'uncertain_at', type: 'bigint', isNullable: true }),
      new TableColumn({ name: 'due_at', type: 'bigint', default: 0 }),
    ]);
    // Mails of the version before told of one event each; which one was not kept, so nothing revokes it.
    const inputs = `replace(inputs, '"updateCount":1', '"updates":[]')`;
    await runner.query(`UPDATE deliveries SET due_at = created_at, inputs = ${inputs}`);
    await runner.createIndex(
      'deliveries',
      new TableIndex({
        name: 'deliveries_provider_id_idx',
        columnNames: ['provider_id'],
        where: 'provider_id IS NOT NULL',
      }),
    );
    // Whether an earlier mail is on its way is asked of each mail that is due.
    await runner.createIndex(
      'deliveries',
      new TableIndex({
        name: 'deliveries_ticket_id_participant_id_id_idx',
        columnNames: ['ticket_id', 'participant_id', 'id'],
        where: `lane = 'mail' AND ended_at IS NULL`,
      }),
    );
    // What waits for a person is counted at every health check, and is few rows of very many.
    for (const table of ['deliveries', 'outbound_messages'])
      await runner.createIndex(
        table,
        new TableIndex({ name: `${table}_ended_at_idx`, columnNames: ['ended_at'], where: `state = 'parked'` }),
      );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['deliveries', 'outbound_messages']) await runner.dropIndex(table, `${table}_ended_at_idx`);
    await runner.dropIndex('deliveries', 'deliveries_ticket_id_participant_id_id_idx');
    await runner.dropIndex('deliveries', 'deliveries_provider_id_idx');
    await runner.dropColumns('deliveries', ['deaths', 'transport', 'provider_id', 'uncertain_at', 'due_at']);
  }
}
