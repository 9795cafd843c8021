import { databases } from '../support/databases.js';
import { runCampaign } from './campaign.js';
import { allPoints } from './points.js';

// The short form. The long one, a hundred kills at each point, is `npm run test:faults`.
describe.each(databases)('killed on $name', (database) => {
  it('at each point it loses nothing, and doubles only what the mail server had whole', async () => {
    const { points, ...ledger } = await runCampaign({ database, kills: allPoints });
    expect(ledger).toMatchObject({ lost: [], different: [], surprises: [] });
    expect(points.filter(({ tooManyDoubled }) => tooManyDoubled > 0)).toEqual([]);
    // The kills were where they should be: from there on the mail is out and nobody knows.
    for (const { point, doubled } of points)
      if (point === 'after-data' || point === 'after-answer') expect([point, doubled]).toEqual([point, 1]);
    expect(ledger.acknowledged).toBeGreaterThanOrEqual(allPoints.length);
    expect(ledger.repeated).toBeGreaterThan(0);
  });
});
