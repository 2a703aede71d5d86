import DIGMultiformats
import DIGTestSupport
import Testing

@testable import DIGDNS

@Suite("The system's resolver library", .timeLimit(.minutes(2)))
struct SystemTextRecordsTests {
    private func deadline(_ duration: Duration) -> ContinuousClock.Instant { .now + duration }

    @Test("asks the server, and reads what it says")
    func answers() async throws {
        let server = try await MadeUpServer { query in
            [Wire.answer(to: query, records: [Wire.record("dnsaddr=/ip4/203.0.113.1/tcp/4001"), Wire.record("other")])]
        }
        let resolver = DNSAddressResolver(configuration: server.configuration)
        #expect(try await resolver.addresses(behind: Multiaddr("/dnsaddr/example.org"), of: nil) == [Multiaddr("/ip4/203.0.113.1/tcp/4001")])
        #expect(server.questionCount == 1)
        try await server.close()
    }

    @Test("says what a server that has no answer means", arguments: zip([3, 2, 5, 0] as [UInt8], [DNSError.Code.notFound, .timedOut, .timedOut, .notFound]))
    func codes(code: UInt8, expected: DNSError.Code) async throws {
        let server = try await MadeUpServer { [Wire.answer(to: $0, records: [], code: code)] }
        let error = await #expect(throws: DNSError.self) {
            _ = try await SystemTextRecords(configuration: server.configuration).texts(of: "_dnsaddr.example.org", until: self.deadline(.seconds(20)))
        }
        // Some versions of the library ask again, and give up, where others pass on that the server refused.
        #expect(error?.code == expected || (expected == .timedOut && error?.code == .failed), "\(String(describing: error))")
        try await server.close()
    }

    @Test("answers to other questions, and from others, are not taken")
    func spoofed() async throws {
        let server = try await MadeUpServer { query in
            var other = query
            other[0] ^= 0xff
            let elsewhere = Array(query.prefix(2)) + Wire.query("_dnsaddr.example.com").dropFirst(2)
            return [
                Wire.answer(to: other, records: [Wire.record("wrong id")]), Wire.answer(to: elsewhere, records: [Wire.record("wrong name")]),
                Wire.answer(to: query, records: [Wire.record("right")]),
            ]
        }
        let texts = try await SystemTextRecords(configuration: server.configuration).texts(of: "_dnsaddr.example.org", until: self.deadline(.seconds(20)))
        #expect(texts == [Array("right".utf8)])
        try await server.close()
    }

    @Test("garbage behind a good header is an error")
    func garbage() async throws {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<20 {
            let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let server = try await MadeUpServer { query in [Wire.answer(to: query, records: Array(repeating: bytes, count: 3))] }
            await #expect(throws: DNSError.self) {
                _ = try await SystemTextRecords(configuration: server.configuration).texts(of: "_dnsaddr.example.org", until: self.deadline(.seconds(20)))
            }
            try await server.close()
        }
    }

    @Test("of very many records some are read")
    func many() async throws {
        let server = try await MadeUpServer { query in [Wire.answer(to: query, records: (0..<2000).map { Wire.record("r\($0)") })] }
        let texts = try await SystemTextRecords(configuration: server.configuration).texts(of: "_dnsaddr.example.org", until: self.deadline(.seconds(20)))
        #expect(texts.count == 256)
        try await server.close()
    }

    @Test("a server that is silent costs the time that was allowed, and a cancelled question none")
    func silence() async throws {
        let server = try await MadeUpServer { _ in [] }
        var configuration = server.configuration
        // The library itself waits for much longer.
        configuration.attemptTimeout = .seconds(30)
        configuration.timeout = .milliseconds(200)
        let resolver = DNSAddressResolver(configuration: configuration)
        let clock = ContinuousClock()
        let address = try Multiaddr("/dnsaddr/example.org")
        let duration = await clock.measure {
            await #expect(throws: DNSError(.timedOut, "")) { _ = try await resolver.addresses(behind: address, of: nil) }
        }
        #expect(duration < .seconds(20))

        let asking = Task { [configuration] in try await SystemTextRecords(configuration: configuration).texts(of: "_dnsaddr.example.org", until: self.deadline(.seconds(60))) }
        while server.questionCount < 2 { try await Task.sleep(for: .milliseconds(1)) }
        asking.cancel()
        await #expect(throws: CancellationError.self) { _ = try await asking.value }
        try await server.close()
    }

    @Test("only so many threads wait, and only so many questions for them")
    func bounded() async throws {
        let server = try await MadeUpServer { _ in [] }
        var configuration = server.configuration
        configuration.maximumConcurrentQuestions = 2
        configuration.maximumWaitingQuestions = 3
        let source = SystemTextRecords(configuration: configuration)
        let codes = await withTaskGroup(of: DNSError.Code?.self) { group in
            for index in 0..<10 {
                group.addTask {
                    do {
                        _ = try await source.texts(of: "_dnsaddr.n\(index).example.org", until: self.deadline(.seconds(30)))
                        return nil
                    } catch { return (error as? DNSError)?.code }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.filter { $0 == .limitExceeded }.count == 5)
        #expect(codes.filter { $0 == .timedOut }.count == 5)
        // Those that waited were asked in the end.
        #expect(server.questionCount == 5)
        try await server.close()
    }
}
