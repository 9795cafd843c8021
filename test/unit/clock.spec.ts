import { SystemClock } from '../../src/platform/clock.js';

const MINUTE = 60_000;

describe('the clock of a process', () => {
  it.each([10 * MINUTE, -10 * MINUTE])('that is %d ms off goes by the database’s', (off) => {
    let real = 1_000_000_000_000;
    const clock = new SystemClock(() => real + off);
    expect(clock.now()).toBe(real + off);
    clock.follow(real);
    expect(clock.now()).toBe(real);
    real += MINUTE;
    expect(clock.now()).toBe(real);
  });

  it('tells whole milliseconds, however finely the database tells its time', () => {
    const clock = new SystemClock(() => 1000);
    clock.follow(600_000.566);
    expect(clock.now()).toBe(600_001);
  });

  it('does not tremble with the time that the question takes', () => {
    const clock = new SystemClock(() => 5000);
    for (const heard of [5100, 4700, 5499]) {
      clock.follow(heard);
      expect(clock.now()).toBe(5000);
    }
  });

  it('goes by itself again once it was put right', () => {
    let off = 10 * MINUTE;
    const clock = new SystemClock(() => 1_000_000 + off);
    clock.follow(1_000_000);
    off = 0;
    clock.follow(1_000_000);
    expect(clock.now()).toBe(1_000_000);
  });
});
