import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

// The longest first: of two that seem alike SQLite, which knows no numbers of rows, takes the older one.
const INDEXES = [
  ['events_source_source_ticket_id_id_idx', 'source', 'source_ticket_id', 'id'],
  ['events_source_type_id_idx', 'source', 'type', 'id'],
  ['events_source_id_idx', 'source', 'id'],
  ['events_type_id_idx', 'type', 'id'],
] as const;
/** The first of these takes its place. */
const FORMER = new TableIndex({
  name: 'events_source_source_ticket_id_idx',
  columnNames: ['source', 'source_ticket_id'],
});

/** Why nobody was told of an event, lists of events by source and type, and the deaths of who asked the sources. */
export class WhatBecameOfEvents1795771000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumn('events', new TableColumn({ name: 'untold', type: 'text', isNullable: true }));
    await runner.dropIndex('events', FORMER.name!);
    for (const [name, ...columnNames] of INDEXES)
      await runner.createIndex('events', new TableIndex({ name, columnNames }));
    await runner.addColumns('waiting_events', [
      new TableColumn({ name: 'leased_at', type: 'bigint', isNullable: true }),
      new TableColumn({ name: 'deaths', type: 'integer', default: 0 }),
    ]);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropColumns('waiting_events', ['leased_at', 'deaths']);
    for (const [name] of INDEXES) await runner.dropIndex('events', name);
    await runner.createIndex('events', FORMER);
    await runner.dropColumn('events', 'untold');
  }
}
