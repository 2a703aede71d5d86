import NIOCore
import Testing

@testable import DIGTransfer

@Suite("download configuration")
struct DownloadConfigurationTests {
    @Test("times keep the whitepaper's numbers of milliseconds (API-04)")
    func milliseconds() {
        var configuration = DownloadConfiguration()
        #expect(configuration.requestTimeoutMilliseconds == 10_000)
        #expect(configuration.peerTimeoutMilliseconds == 30_000)
        configuration.requestTimeoutMilliseconds = 1500
        configuration.peerTimeoutMilliseconds = 2500
        #expect(configuration.requestTimeout == .seconds(1.5))
        #expect(configuration.peerTimeout == .milliseconds(2500))
        configuration.peerTimeout = .seconds(Int64.max)
        #expect(configuration.peerTimeoutMilliseconds == .max)
    }

    @Test("no interval keeps the loop busy with progress")
    func progressInterval() {
        var options = DownloadOptions()
        for (interval, expected) in [(Duration.zero, TimeAmount.milliseconds(1)), (.seconds(-1), .milliseconds(1)), (.seconds(2), .seconds(2))] {
            options.progressInterval = interval
            #expect(options.progressTimerInterval == expected)
        }
    }
}
