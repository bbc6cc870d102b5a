package bench;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.annotations.SerializedName;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** What the driver says and hears: one JSON object a line. See bench/process/protocol.go. */
final class Wire {
  private static final Gson GSON =
      new GsonBuilder().setFieldNamingPolicy(FieldNamingPolicy.UPPER_CAMEL_CASE).create();
  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private Wire() {}

  /** What a process is started with. */
  static final class Spec {
    String stack = "";
    String address = "";
    Options options = new Options();

    boolean supported() {
      return "tcp".equals(options.network)
          && (options.certificates == null || options.certificates.isEmpty())
          && !options.annotate
          && options.work.sleepEvery == 0
          && options.work.steps == 0;
    }

    /** Whether handlers and callbacks run on the transport's threads. */
    boolean direct() {
      return "java-direct".equals(stack);
    }
  }

  static final class Options {
    String network = "";
    String certificates = "";
    boolean annotate;
    Work work = new Work();
  }

  static final class Work {
    long sleepEvery;
    long steps;
  }

  static final class Command {
    String op = "";
    Workload workload = new Workload();

    /** In nanoseconds. */
    long time;
  }

  static final class Workload {
    String kind = "";
    int bytes;
    int concurrency;
    int conns;
    int messages;
    boolean deadline;
  }

  /** An answer; what is null is left out. */
  static final class Answer {
    String address;
    Usage usage;
    Result result;
    String error;
    boolean unsupported;

    static Answer unsupported() {
      Answer answer = failed("unsupported");
      answer.unsupported = true;
      return answer;
    }

    static Answer failed(String error) {
      Answer answer = new Answer();
      answer.error = error;
      return answer;
    }

    static Answer used() throws IOException {
      Answer answer = new Answer();
      answer.usage = new Usage();
      return answer;
    }
  }

  /** What this process has used until now. */
  static final class Usage {
    /** In nanoseconds, which come in the system's ticks, of 10 ms mostly. */
    @SerializedName("CPU")
    long cpu = SYSTEM.getProcessCpuTime();

    @SerializedName("RSS")
    long rss = resident();

    Usage() throws IOException {}

    private static long resident() throws IOException {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmRSS:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
        }
      }
      throw new IOException("/proc/self/status has no VmRSS");
    }
  }

  static final class Result {
    long calls;
    double seconds;
    Latency latency;
  }

  /** In microseconds. */
  static final class Latency {
    final double p50;
    final double p90;
    final double p99;
    final double p999;
    final double max;

    Latency(long[] times) {
      Arrays.sort(times);
      p50 = at(times, 0.5);
      p90 = at(times, 0.9);
      p99 = at(times, 0.99);
      p999 = at(times, 0.999);
      max = at(times, 1);
    }

    private static double at(long[] sorted, double share) {
      int last = sorted.length - 1;
      return last < 0 ? 0 : sorted[Math.min((int) (share * sorted.length), last)] / 1e3;
    }
  }

  interface Act {
    Answer on(Command command) throws Exception;
  }

  static Spec spec(String text) {
    return GSON.fromJson(text, Spec.class);
  }

  static void say(Answer answer) {
    System.out.println(GSON.toJson(answer));
  }

  /** Answers commands until the input ends. */
  static void answer(Act act) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      say(act.on(GSON.fromJson(line, Command.class)));
    }
  }
}
