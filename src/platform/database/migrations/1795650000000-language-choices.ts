import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';

/** The language that the reader of an address chose. */
export class LanguageChoices1795650000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const columns = [
      { name: 'email_key', type: 'text', isPrimary: true },
      { name: 'locale', type: 'text' },
      { name: 'chosen_at', type: 'bigint' },
    ];
    await runner.createTable(new Table({ name: 'language_choices', columns }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('language_choices');
  }
}
