import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import type { EntityClass } from './data-source.js';

/**
 * Rows by the hundred. TypeORM builds a statement of its own for every number of rows and visits every value of them,
 * which costs ten times what the database does with it. Here the rows of one table are one JSON parameter of one
 * statement that never changes, on both databases; entities, names and types remain TypeORM's.
 */

/** Inserts all rows; fails if a unique key is taken. */
export async function insertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
): Promise<void> {
  if (rows.length > 0) await run(manager, tableOf(manager, entity).insert, [json(manager, entity, rows)]);
}

/** Inserts the rows whose unique keys are free; returns the ids of those. */
export async function insertNew<T extends ObjectLiteral & { id: string }>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const { insert } = tableOf(manager, entity);
  const text = `${insert} ON CONFLICT DO NOTHING RETURNING id`;
  const inserted = await run<{ id: string }>(manager, text, [json(manager, entity, rows)]);
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
  if (rows.length === 0) return [];
  const { name, insert, columns } = tableOf(manager, entity);
  const names = key.map((property) => columns.find((one) => one.property === property)!.column);
  // An update that changes nothing: `DO NOTHING` would neither lock the row nor return it.
  const lock = `DO UPDATE SET ${names[0]} = ${name}.${names[0]} RETURNING *`;
  const text = `${insert} ON CONFLICT (${names.join(', ')}) ${lock}`;
  return asEntities(manager, entity, await run(manager, text, [json(manager, entity, rows)]));
}

/** Inserts the rows, or makes the rows of the same key like them. */
export async function upsertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityClass<T>,
  rows: readonly T[],
): Promise<void> {
  if (rows.length === 0) return;
  const { insert, key, overwrite } = tableOf(manager, entity);
  await run(manager, `${insert} ON CONFLICT (${key}) DO UPDATE SET ${overwrite}`, [json(manager, entity, rows)]);
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
  if (rows.length === 0) return new Set();
  const { name, columns, isPostgres } = tableOf(manager, entity);
  const named = (properties: readonly string[]) => columns.filter(({ property }) => properties.includes(property));
  const fields = named([...by, ...set]).map(({ column }) => `value ->> '${column}' AS ${column}`);
  const given = isPostgres
    ? `json_populate_recordset(NULL::${name}, ?)`
    : `(SELECT ${fields.join(', ')} FROM json_each(?))`;
  const assigned = named(set).map(({ column }) => `${column} = given.${column}`);
  const equal = named(by).map(({ column }) => `row.${column} = given.${column}`);
  const text = `UPDATE ${name} AS row SET ${assigned.join(', ')} FROM ${given} AS given WHERE ${equal.join(' AND ')} AND (${where}) RETURNING ${isPostgres ? 'row.id' : 'id'}`;
  const json = asJson(named([...by, ...set]), rows);
  const changed = await run<{ id: string }>(manager, text, [json, ...values]);
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
  const given = values.map((value) =>
    Array.isArray(value) && (!isPostgres || Array.isArray(value[0])) ? JSON.stringify(value) : value,
  );
  const runner = manager.queryRunner ?? manager.dataSource.createQueryRunner();
  try {
    return (await runner.query(dialect(text, isPostgres), given as unknown[], true)).records as T[];
  } finally {
    if (!manager.queryRunner) await runner.release();
  }
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
    : // By place, which SQLite finds in half the time of a name. `WHERE true`, or it would take a following ON CONFLICT
      // for part of a join.
      `SELECT ${names.map((_, place) => `value ->> ${place}`).join(', ')} FROM json_each(?) WHERE true`;
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

/** What `insert` takes: rows by the names of their columns, or in their order where that will do. */
function json<T extends ObjectLiteral>(manager: EntityManager, entity: EntityClass<T>, rows: readonly T[]): string {
  const { columns, isPostgres } = tableOf(manager, entity);
  if (isPostgres) return asJson(columns, rows);
  return JSON.stringify(rows.map((row) => columns.map(({ property, write }) => write(row[property]))));
}

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
