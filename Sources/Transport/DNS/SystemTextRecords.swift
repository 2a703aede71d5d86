import CDIGResolver
import Foundation
import Synchronization

/// Asks the system's resolver library, which blocks, on threads made for it.
///
/// A thread ends with its question. One that its askers gave up on still counts until then, so that a server which never answers costs
/// ``DNSConfiguration/maximumConcurrentQuestions`` threads and no more.
final class SystemTextRecords: TextRecordSource {
    private struct State {
        var runningCount = 0
        var waiting: [TextQuestion] = []
    }

    private let configuration: DNSConfiguration
    private let state = Mutex(State())

    init(configuration: DNSConfiguration) { self.configuration = configuration }

    func texts(of name: String, until deadline: ContinuousClock.Instant) async throws -> [[UInt8]] {
        let question = TextQuestion(name: name)
        let startsNow = try self.state.withLock { state throws(DNSError) in
            state.waiting.removeAll { $0.isOver }
            if state.runningCount < max(1, self.configuration.maximumConcurrentQuestions) {
                state.runningCount += 1
                return true
            }
            guard state.waiting.count < self.configuration.maximumWaitingQuestions else {
                throw DNSError(.limitExceeded, "too many names are being asked for")
            }
            state.waiting.append(question)
            return false
        }
        if startsNow { self.start(question) }
        return try await question.answer(until: deadline)
    }

    private func start(_ question: TextQuestion) {
        Thread.detachNewThread {
            var next: TextQuestion? = question
            while let question = next {
                if !question.isOver { question.finish(self.ask(question.name)) }
                next = self.state.withLock { state in
                    state.waiting.removeAll { $0.isOver }
                    if !state.waiting.isEmpty { return state.waiting.removeFirst() }
                    state.runningCount -= 1
                    return nil
                }
            }
        }
    }

    /// Blocks.
    private func ask(_ name: String) -> Result<[[UInt8]], any Error> {
        let capacity = 65535
        let (seconds, attempts) = (max(1, self.configuration.attemptTimeout.components.seconds), max(1, self.configuration.attempts))
        var length: Int32 = 0
        let message = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            let server = self.configuration.server
            length = Self.withCString(server?.host) { host in
                dig_resolver_query_txt(
                    name, host, server?.port ?? 0, Int32(clamping: min(seconds, 30)), Int32(clamping: min(attempts, 5)), buffer.baseAddress, Int32(capacity))
            }
            count = Int(max(0, length))
        }
        switch Int(length) {
        case DIG_RESOLVER_NO_NAME: return .failure(DNSError(.notFound, "the name \(name) does not exist"))
        case DIG_RESOLVER_NO_RECORDS: return .failure(DNSError(.notFound, "the name \(name) has no TXT records"))
        case DIG_RESOLVER_NO_ANSWER: return .failure(DNSError(.timedOut, "no DNS server could be asked for \(name)"))
        case ..<0: return .failure(DNSError(.failed, "the DNS server has no answer for \(name)"))
        default: break
        }
        do throws(DNSError) {
            return .success(try TextRecords.texts(in: message, limit: self.configuration.maximumRecords))
        } catch {
            return .failure(DNSError(error.code, "\(name): \(error.message)"))
        }
    }

    private static func withCString<Value>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Value) -> Value {
        guard let text else { return body(nil) }
        return text.withCString(body)
    }
}
