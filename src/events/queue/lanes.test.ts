import { describe, expect, it } from 'vitest';
import { Lanes } from './lanes.js';
import { QueuedFile } from './queued.file.js';

const file = (since: number, repository: string) =>
  QueuedFile.create('/queue', QueuedFile.laneOf(repository), 9, since);

describe('lanes', () => {
  it('have one event of a repository under way at a time', () => {
    const lanes = new Lanes();
    const [a, b, c] = [file(1, 'a'), file(2, 'a'), file(3, 'b')];
    lanes.add([a, b, c]);
    const [first, second] = [lanes.take()!, lanes.take()!];
    expect([first.files[0], second.files[0], lanes.take()]).toEqual([a, c, undefined]);
    lanes.done(first);
    expect(lanes.take()?.files[0]).toBe(b);
    expect(lanes.length).toBe(2);
  });

  it('put what another process has left where it belongs, behind the event under way', () => {
    const lanes = new Lanes();
    const [old, older] = [file(10, 'a'), file(20, 'a')];
    const [a, b] = [file(30, 'a'), file(40, 'a')];
    lanes.add([a, b]);
    const lane = lanes.take()!;
    lanes.add([older, old]);
    expect(lane.files).toEqual([a, old, older, b]);
    expect(lanes.oldest).toBe(a.since);
  });

  it('wake together', () => {
    const lanes = new Lanes();
    lanes.add([file(1, 'a'), file(1, 'b')]);
    for (const lane of [lanes.take()!, lanes.take()!]) lanes.wait(lane, 60_000, () => undefined);
    expect(lanes.take()).toBeUndefined();
    lanes.wake();
    expect([lanes.take(), lanes.take()].every((lane) => lane?.timer === undefined)).toBe(true);
  });
});

describe('the name of a queued file', () => {
  it('has what the queue has to know, in an order that a clock that is set back keeps', () => {
    const [first, second] = [file(2_000, 'a'), file(1_000, 'a')];
    expect(first.name < second.name).toBe(true);
    expect(QueuedFile.parse('/queue', first.name)).toEqual(first);
    expect(QueuedFile.parse('/queue', `${first.name}.tmp`)).toBeUndefined();
  });
});
