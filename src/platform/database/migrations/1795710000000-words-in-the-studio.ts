import { Table, TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const text = (name: string) => ({ name, type: 'text' });
const optionalText = (name: string) => ({ name, type: 'text', isNullable: true });
const time = (name: string) => ({ name, type: 'bigint' });
const id = { name: 'id', type: 'text', isPrimary: true };

/** Words that are edited while Postern runs, and with which words each mail was made. */
export class WordsInTheStudio1795710000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'template_revisions',
        columns: [
          id,
          ...['key', 'locale', 'hash', 'text', 'origin'].map(text),
          time('created_at'),
          optionalText('by'),
          optionalText('by_name'),
        ],
        indices: [{ name: 'template_revisions_content_key', columnNames: ['key', 'locale', 'hash'], isUnique: true }],
      }),
    );
    await runner.createTable(
      new Table({
        name: 'template_publications',
        columns: [
          id,
          ...['key', 'locale', 'kind'].map(text),
          optionalText('revision_id'),
          optionalText('shipped_hash'),
          optionalText('english_hash'),
          ...['by', 'by_name', 'why'].map(text),
          time('at'),
          { name: 'publish_at', type: 'bigint', isNullable: true },
        ],
      }),
    );
    await runner.createIndex(
      'template_publications',
      new TableIndex({ name: 'template_publications_place_idx', columnNames: ['key', 'locale', 'id'] }),
    );
    await runner.createTable(
      new Table({
        name: 'template_current',
        columns: [
          id,
          ...['key', 'locale'].map(text),
          optionalText('revision_id'),
          text('publication_id'),
          { name: 'version', type: 'integer' },
          time('changed_at'),
        ],
      }),
    );
    await runner.createTable(
      new Table({
        name: 'template_drafts',
        columns: [
          id,
          ...['key', 'locale', 'text', 'base'].map(text),
          optionalText('shipped_hash'),
          optionalText('english_hash'),
          { name: 'version', type: 'integer' },
          ...['state', 'by', 'by_name', 'note'].map(text),
          time('at'),
          { name: 'publish_at', type: 'bigint', isNullable: true },
          optionalText('publisher'),
          optionalText('publisher_name'),
        ],
        indices: [{ name: 'template_drafts_place_key', columnNames: ['key', 'locale'], isUnique: true }],
      }),
    );
    await runner.createIndex(
      'template_drafts',
      new TableIndex({
        name: 'template_drafts_publish_at_idx',
        columnNames: ['publish_at'],
        where: "state = 'scheduled'",
      }),
    );
    await runner.createTable(
      new Table({
        name: 'template_renditions',
        columns: [id, ...['key', 'locale', 'words', 'sources'].map(text), time('created_at')],
      }),
    );
    await runner.addColumn(
      'deliveries',
      new TableColumn({ name: 'revision_fixed_at', type: 'bigint', isNullable: true }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropColumn('deliveries', 'revision_fixed_at');
    for (const name of ['renditions', 'drafts', 'current', 'publications', 'revisions'])
      await runner.dropTable(`template_${name}`);
  }
}
