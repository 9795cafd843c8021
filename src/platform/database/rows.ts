import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import type { EntityClass } from './data-source.js';

/**
 * Rows by the hundred. TypeORM builds a statement of its own for every number of rows and visits every value of them,
 * which costs ten times what the database does with it. Here the statement of a table never changes: on Postgres, where a
 * round trip is what costs, it takes all rows as one JSON parameter; on SQLite, where there is none, one row after the
 * other. Entities, names and types remain TypeORM's.
 */

/** Inserts all rows; fails if a unique key is taken. */
export async function insertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
): Promise<void> {
  await runWith(manager, entity, rows, tableOf(manager, entity).insert);
}

/** Inserts the rows whose unique keys are free; returns the ids of those. */
export async function insertNew<T extends ObjectLiteral & { id: string }>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
): Promise<Set<string>> {
  const { insert } = tableOf(manager, entity);
  const text = `${insert} ON CONFLICT DO NOTHING RETURNING id`;
  const inserted = await runWith<{ id: string }>(manager, entity, rows, text);
  return new Set(inserted.map(({ id }) => id));
}

/**
 * Inserts the rows whose `key` is free and returns every row of these keys as it is now, whoever made it; no key may be
 * given twice. On Postgres all of them are locked until the commit. Give them in an order that all processes keep, or
 * two could wait for each other.
 */
export async function insertOrLock<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
  key: readonly (keyof T & string)[],
): Promise<T[]> {
  const { name, insert, columns } = tableOf(manager, entity);
  const names = key.map((property) => columns.find((one) => one.property === property)!.column);
  // An update that changes nothing: `DO NOTHING` would neither lock the row nor return it.
  const lock = `DO UPDATE SET ${names[0]} = ${name}.${names[0]} RETURNING *`;
  const text = `${insert} ON CONFLICT (${names.join(', ')}) ${lock}`;
  return asEntities(manager, entity, await runWith(manager, entity, rows, text));
}

/** Inserts the rows, or makes the rows of the same key like them. */
export async function upsertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
): Promise<void> {
  const { insert, key, overwrite } = tableOf(manager, entity);
  await runWith(manager, entity, rows, `${insert} ON CONFLICT (${key}) DO UPDATE SET ${overwrite}`);
}

/**
 * Changes each row whose `by` columns equal those of a given one, to what the given one says in `set`. Returns the ids of
 * the rows that were changed: not those whose `by` differs by now, and not those that `where` (the row is `row`) keeps out.
 */
export async function updateRows<T extends ObjectLiteral & { id: string }, K extends keyof T & string>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly Pick<T, K>[],
  { by, set, where = 'true' }: { by: readonly K[]; set: readonly K[]; where?: string },
  values: readonly unknown[] = [],
): Promise<Set<string>> {
  const { name, columns, isPostgres } = tableOf(manager, entity);
  const named = (properties: readonly string[]) => columns.filter(({ property }) => properties.includes(property));
  const [keys, changes] = [named(by), named(set)];
  const assigned = changes.map(({ column }) => `${column} = ${isPostgres ? `given.${column}` : '?'}`).join(', ');
  const equal = keys.map(({ column }) => `row.${column} = ${isPostgres ? `given.${column}` : '?'}`).join(' AND ');
  const text = isPostgres
    ? `UPDATE ${name} AS row SET ${assigned} FROM json_populate_recordset(NULL::${name}, ?) AS given WHERE ${equal} AND (${where}) RETURNING row.id`
    : `UPDATE ${name} AS row SET ${assigned} WHERE ${equal} AND (${where}) RETURNING id`;
  const changed = await runWith<{ id: string }>(manager, entity, rows, text, {
    columns: [...changes, ...keys],
    values,
  });
  return new Set(changed.map(({ id }) => id));
}

/**
 * Runs a statement with `?` for each value; `IN ?` takes a whole list, `IN PAIRS ?` a list of pairs of texts. Returns its
 * rows as the database has them. The text must be one of few: SQLite keeps it prepared.
 */
export async function run<T = ObjectLiteral>(
  manager: EntityManager,
  text: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const isPostgres = manager.dataSource.options.type === 'postgres';
  const runner = manager.queryRunner ?? manager.dataSource.createQueryRunner();
  try {
    return (await runner.query(dialect(text, isPostgres), bound(values, isPostgres), true)).records as T[];
  } finally {
    if (!manager.queryRunner) await runner.release();
  }
}

/** Lists as what `IN ?` takes. */
function bound(values: readonly unknown[], isPostgres: boolean): unknown[] {
  return values.map((value) =>
    Array.isArray(value) && (!isPostgres || Array.isArray(value[0])) ? JSON.stringify(value) : value,
  );
}

/** Runs a statement for these rows, after whose columns come `values`; returns what it returned of all of them. */
async function runWith<T = ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass,
  rows: readonly ObjectLiteral[],
  text: string,
  given: { columns?: readonly Column[]; values?: readonly unknown[] } = {},
): Promise<T[]> {
  if (rows.length === 0) return [];
  const { isPostgres, columns: all } = tableOf(manager, entity);
  const { columns = all, values = [] } = given;
  if (isPostgres) return run(manager, text, [asJson(columns, rows), ...values]);
  const statement = await prepared(manager, dialect(text, false));
  const fixed = bound(values, false);
  const returned: unknown[] = [];
  for (const row of rows) {
    const own = columns.map(({ property, write }) => bindable(write(row[property])));
    if (statement.reader) returned.push(...statement.all(...own, ...fixed));
    else statement.run(...own, ...fixed);
  }
  return returned as T[];
}

/** Of better-sqlite3, or what stands in for it. */
interface Statement {
  reader: boolean;
  all(...values: unknown[]): unknown[];
  run(...values: unknown[]): unknown;
}
type Connection = { prepare(text: string): Statement };

const statements = new WeakMap<Connection, Map<string, Statement>>();

/** TypeORM's own cache is behind a call that costs as much as the row. */
async function prepared({ queryRunner }: EntityManager, text: string): Promise<Statement> {
  const connection = (await queryRunner!.connect()) as Connection;
  const known = statements.get(connection) ?? new Map<string, Statement>();
  statements.set(connection, known);
  const statement = known.get(text) ?? connection.prepare(text);
  known.set(text, statement);
  return statement;
}

function bindable(value: unknown): unknown {
  return typeof value === 'boolean' ? Number(value) : (value ?? null);
}

/** What follows `SELECT * FROM table` or `RETURNING *`, as entities. */
export async function selectRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rest: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const { name } = tableOf(manager, entity);
  return asEntities(manager, entity, await run(manager, `SELECT * FROM ${name} ${rest}`, values));
}

/** Raw rows as entities. */
export function asEntities<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  raw: readonly ObjectLiteral[],
): T[] {
  const { columns } = tableOf(manager, entity);
  return raw.map((row) => {
    const made: ObjectLiteral = {};
    for (const { property, column, read } of columns) made[property] = read(row[column]);
    return made as T;
  });
}

interface Column {
  property: string;
  column: string;
  write: (value: unknown) => unknown;
  read: (value: unknown) => unknown;
}

interface TableShape {
  name: string;
  isPostgres: boolean;
  /** Column of the primary key: there is one, `id` nearly everywhere. */
  key: string;
  columns: Column[];
  insert: string;
  overwrite: string;
}

const shapes = new WeakMap<EntityMetadata, TableShape>();

function tableOf(manager: EntityManager, entity: EntityClass): TableShape {
  const metadata = manager.dataSource.getMetadata(entity);
  const known = shapes.get(metadata);
  if (known) return known;
  const shape = shapeOf(metadata, manager.dataSource.options.type === 'postgres');
  shapes.set(metadata, shape);
  return shape;
}

function shapeOf(metadata: EntityMetadata, isPostgres: boolean): TableShape {
  const name = metadata.tableName;
  const columns = metadata.columns.map(({ propertyName, databaseName, type }): Column => ({
    property: propertyName,
    column: databaseName,
    write: type === 'simple-json' ? JSON.stringify : same,
    read: readers[String(type)] ?? same,
  }));
  const names = columns.map(({ column }) => column);
  const key = metadata.primaryColumns[0]!.databaseName;
  const values = isPostgres
    ? `SELECT ${names.join(', ')} FROM json_populate_recordset(NULL::${name}, ?)`
    : `VALUES (${names.map(() => '?').join(', ')})`;
  return {
    name,
    isPostgres,
    key,
    columns,
    insert: `INSERT INTO ${name} (${names.join(', ')}) ${values}`,
    overwrite: names
      .filter((column) => column !== key)
      .map((column) => `${column} = excluded.${column}`)
      .join(', '),
  };
}

const same = (value: unknown) => value;
/** What the drivers give back that is not what the entity says: Postgres a bigint as text, SQLite a flag as 0 or 1. */
const readers: Record<string, Column['read']> = {
  bigint: (value) => (value === null ? null : Number(value)),
  boolean: (value) => (value === null ? null : Boolean(value)),
  'simple-json': (value) => JSON.parse(String(value)) as unknown,
};

/** What `json_populate_recordset` takes. */
function asJson(columns: readonly Column[], rows: readonly ObjectLiteral[]): string {
  return JSON.stringify(
    rows.map((row) => {
      const raw: ObjectLiteral = {};
      for (const { property, column, write } of columns) raw[column] = write(row[property]);
      return raw;
    }),
  );
}

const translated = new Map<string, string>();

/** `?` and `IN ?` in the words of the database. */
function dialect(text: string, isPostgres: boolean): string {
  const key = `${isPostgres ? 'p' : 's'}${text}`;
  const known = translated.get(key);
  if (known !== undefined) return known;
  let place = 0;
  const made = text.replace(/\bIN PAIRS \?|\bIN \?|\?/g, (found) => {
    const sign = isPostgres ? `$${++place}` : '?';
    if (found === '?') return sign;
    const pairs = isPostgres ? `json_array_elements(${sign}::json)` : `json_each(${sign})`;
    if (found.startsWith('IN PAIRS')) return `IN (SELECT value ->> 0, value ->> 1 FROM ${pairs})`;
    return isPostgres ? `= ANY(${sign})` : 'IN (SELECT value FROM json_each(?))';
  });
  translated.set(key, made);
  return made;
}
