package bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** One run: its end, and what its callers have seen. */
final class Load {
  final Wire.Workload workload;
  private final List<Caller> callers = new ArrayList<>();
  private final long began = System.nanoTime();
  private final long until;
  private final CountDownLatch running;
  private volatile Throwable failure;

  Load(Wire.Workload workload, long nanoseconds, int callers) {
    this.workload = workload;
    until = began + nanoseconds;
    running = new CountDownLatch(callers);
  }

  /**
   * One caller. Its steps come one after another, and each sees what the last one has written: it is
   * begun by what ended that one.
   */
  abstract static class Caller {
    private final Load load;
    private long began;
    private long calls;
    private long[] times = new long[1024];
    private int steps;

    Caller(Load load) {
      this.load = load;
      load.callers.add(this);
    }

    /** Begins a step, which ends with {@link #ended} or {@link #failed} on any thread. */
    abstract void step();

    void begin() {
      began = System.nanoTime();
      step();
    }

    /**
     * Ends a step that was n calls, and begins another one with the same look at the clock. It fails
     * if the answer was not right.
     */
    void ended(long n, boolean right) {
      if (!right) {
        failed(wrong());
      } else if (record(n)) {
        again();
      } else {
        load.running.countDown();
      }
    }

    // What a callback throws would get lost.
    private void again() {
      try {
        step();
      } catch (RuntimeException error) {
        failed(error);
      }
    }

    void failed(Throwable error) {
      load.failure = error;
      load.running.countDown();
    }

    /** Ends a step, and tells whether there is time for another one. */
    private boolean record(long n) {
      long now = System.nanoTime();
      if (steps == times.length) {
        times = Arrays.copyOf(times, 2 * steps);
      }
      times[steps++] = now - began;
      began = now;
      calls += n;
      return now - load.until < 0 && load.failure == null;
    }
  }

  /** A caller whose steps wait for their end: it needs a thread of its own, the one that begins. */
  abstract static class Waiting extends Caller {
    Waiting(Load load) {
      super(load);
    }

    /** Does a whole step, and returns how many calls it was. */
    abstract long whole() throws Exception;

    @Override
    final void step() {
      try {
        while (super.record(whole())) {
          // It has recorded.
        }
        super.load.running.countDown();
      } catch (Exception error) {
        failed(error);
      }
    }
  }

  static RuntimeException wrong() {
    return new IllegalStateException("an answer has another size than was asked for");
  }

  /** Runs the callers until they have ended. */
  Wire.Result run() throws InterruptedException {
    callers.forEach(Caller::begin);
    running.await();
    Wire.Result result = new Wire.Result();
    result.seconds = (System.nanoTime() - began) / 1e9;
    result.calls = callers.stream().mapToLong(caller -> caller.calls).sum();
    return result;
  }

  /** Why a call has failed, or null. */
  Throwable failure() {
    return failure;
  }

  Wire.Latency latency() {
    long[] all = new long[callers.stream().mapToInt(caller -> caller.steps).sum()];
    int n = 0;
    for (Caller caller : callers) {
      System.arraycopy(caller.times, 0, all, n, caller.steps);
      n += caller.steps;
    }
    return new Wire.Latency(all);
  }
}
