import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/** By which reference a mail is recognised, how large a picture is, and which files are anybody's. */
export class ChecksAndPreviews1795630000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Mails of the version before printed none.
    await runner.addColumn('deliveries', new TableColumn({ name: 'check_reference', type: 'text', isNullable: true }));
    await runner.createIndex('deliveries', partial('deliveries', 'check_reference', 'key'));
    await runner.addColumns('attachments', [
      new TableColumn({ name: 'width', type: 'integer', isNullable: true }),
      new TableColumn({ name: 'height', type: 'integer', isNullable: true }),
    ]);
    // The sweep asks of each stored file whether a row names it.
    await runner.createIndex('attachments', partial('attachments', 'file', 'idx'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndex('attachments', 'attachments_file_idx');
    await runner.dropColumns('attachments', ['width', 'height']);
    await runner.dropIndex('deliveries', 'deliveries_check_reference_key');
    await runner.dropColumn('deliveries', 'check_reference');
  }
}

function partial(table: string, column: string, kind: 'key' | 'idx'): TableIndex {
  return new TableIndex({
    name: `${table}_${column}_${kind}`,
    columnNames: [column],
    isUnique: kind === 'key',
    where: `${column} IS NOT NULL`,
  });
}
