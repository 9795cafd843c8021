import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';

/** By which passkey a session was opened, so that it ends with it. Of sessions that are there it is not known. */
export class PasskeysOfSessions1795773000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumn('studio_sessions', new TableColumn({ name: 'passkey_id', type: 'text', isNullable: true }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropColumn('studio_sessions', 'passkey_id');
  }
}
