import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// SIGHUP, by which a service is asked to look at its files again.
enum Hangup {
    /// Does something now and again at each signal, which does not end the process meanwhile, until the task is cancelled.
    static func repeating(_ body: () async -> Void) async {
        let (signals, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        #if canImport(Darwin)
        signal(SIGHUP, SIG_IGN)  // kqueue still sees it
        #endif
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "dig-nat.hangup"))
        source.setEventHandler { continuation.yield() }
        source.resume()
        defer { source.cancel() }
        await body()
        for await _ in signals { await body() }
    }
}
