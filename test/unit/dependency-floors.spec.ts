import { readFileSync } from 'node:fs';

interface Lock {
  packages: Record<string, { version?: string; name?: string }>;
}

/** The lowest versions without a published hole that would reach us. */
const floors: Record<string, string> = {
  handlebars: '4.7.10',
  multer: '2.4.0',
  nodemailer: '10.0.9',
  'proxy-addr': '2.0.8', // CVE-2026-90711: a mapped subnet with a short prefix trusts every IPv4 address
  '@fastify/proxy-addr': '5.1.3', // its fork numbers on its own; this one matches nobody by such a subnet
  qs: '6.16.0',
};

/** Every place in the lock where a package stands below its floor, however deep it is nested or renamed. */
function belowFloors(lock: Lock): string[] {
  return Object.entries(lock.packages).flatMap(([path, { name, version }]) => {
    const floor = floors[name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)];
    return floor !== undefined && isBelow(version ?? '0.0.0', floor) ? [`${path} ${version}: at least ${floor}`] : [];
  });
}

/** Semantic Versioning 2.0 11: numbers left to right, then a pre-release is below its release. Floors are releases. */
function isBelow(version: string, floor: string): boolean {
  const [numbers = '', ...rest] = version.split(/(?=[-+])/);
  const [have, need] = [numbers, floor].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const at = need.findIndex((number, i) => have[i] !== number);
  return at < 0 ? rest[0]?.startsWith('-') === true : !((have[at] ?? 0) > need[at]!);
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;

it('the lock holds nothing below the security floors', () => {
  expect(belowFloors(lock)).toEqual([]);
});

it('the lock is one that the floors can see', () => {
  const names = Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, ''));
  expect(names).toEqual(expect.arrayContaining(['handlebars', 'nodemailer', '@fastify/proxy-addr']));
});

it.each([
  ['node_modules/handlebars', '4.7.9'],
  ['node_modules/handlebars', '4.7.10-rc.1'],
  ['node_modules/handlebars', '3.9.99'],
  ['node_modules/a/node_modules/@b/c/node_modules/qs', '6.15.9'],
  ['node_modules/multer', '1.99.0-lts.1'],
  ['node_modules/mailparser/node_modules/nodemailer', '9.9.9'],
  ['node_modules/proxy-addr', '2.0.7'],
  ['node_modules/@fastify/proxy-addr', '5.1.2'],
  ['packages/own/node_modules/qs', 'latest'],
])('a lock with %s %s is found out', (path, version) => {
  expect(belowFloors({ packages: { ...lock.packages, [path]: { version } } })).toEqual([
    expect.stringContaining(`${path} ${version}`),
  ]);
});

it('a package under another name is found out, one without a version too', () => {
  const packages = { 'node_modules/my-qs': { name: 'qs', version: '6.5.0' }, 'node_modules/multer': {} };
  expect(belowFloors({ packages })).toHaveLength(2);
});

it.each([
  ['node_modules/handlebars', '4.7.10'],
  ['node_modules/handlebars', '4.7.10+build.1'],
  ['node_modules/handlebars', '4.10.0'],
  ['node_modules/handlebars', '5.0.0-beta.1'],
  ['node_modules/qs', '6.16.0'],
  ['node_modules/qs-like', '0.0.1'],
  ['node_modules/@types/nodemailer', '8.0.2'],
])('a lock with %s %s is not', (path, version) => {
  expect(belowFloors({ packages: { [path]: { version } } })).toEqual([]);
});
