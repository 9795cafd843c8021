import { queues } from '../support/queues.js';
import { someDatabase } from '../support/some-database.js';
import { runCampaign } from './campaign.js';
import { allPoints } from './points.js';

// The two ways to run it: alone, and as any number of processes.
const grounds = someDatabase.map((database) => ({
  database,
  queue: (database.name === 'Postgres' && queues.find(({ name }) => name === 'Redis')) || queues[0]!,
}));

// The short form. The long one, a hundred kills at each point, is `npm run test:faults`.
describe.each(grounds)('killed on $database.name with the $queue.name queue', ({ database, queue }) => {
  it('at each point it loses nothing, and doubles only what the mail server had whole', async () => {
    const broker = await queue.create();
    const { points, ...ledger } = await runCampaign({ database, queueUrl: broker.url, kills: allPoints });
    await broker.drop();
    expect(ledger).toMatchObject({ lost: [], different: [], surprises: [] });
    expect(points.filter(({ tooManyDoubled }) => tooManyDoubled > 0)).toEqual([]);
    // The kills were where they should be: from there on the mail is out and nobody knows.
    for (const { point, doubled } of points)
      if (point === 'after-data' || point === 'after-answer') expect([point, doubled]).toEqual([point, 1]);
    expect(ledger.acknowledged).toBeGreaterThanOrEqual(allPoints.length);
    expect(ledger.repeated).toBeGreaterThan(0);
  }, 180_000);
});
