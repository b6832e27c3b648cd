/** Work that must not overlap. */

/** Runs tasks one after another, in the order in which they are given; one that fails does not stop the others. */
export class Queue {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task);
    this.last = result.catch(() => {});
    return result;
  }
}
