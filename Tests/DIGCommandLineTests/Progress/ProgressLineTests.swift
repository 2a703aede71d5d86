import DIGCommandLine
import Testing

@Suite("Progress line")
struct ProgressLineTests {
    let snapshot = ProgressSnapshot(
        .receiving, name: "holiday-pictures.tar.gz", byteCount: 1_352_663_040, total: 3_221_225_472, peers: 3, path: "TCP direct")

    private func line(_ columns: Int, unicode: Bool = true) -> String {
        ProgressLine.bar(
            self.snapshot, rate: 117_440_512, timeLeft: .seconds(16),
            terminal: Terminal(isInteractive: true, columns: columns, drawsUnicode: unicode))
    }

    @Test("shows everything in a wide terminal")
    func wide() {
        #expect(
            self.line(140)
                == "holiday-pictures.tar.gz  41% ▕████████████████▊                       ▏  1.26 GiB of 3.00 GiB  112 MiB/s  0:16 left  3 peers  TCP direct")
    }

    @Test("drops the byte counts, the peers, the bar, the time left, the rate as the terminal narrows, and the path last")
    func narrows() {
        #expect(self.line(100) == "holiday-….gz  41% ▕█████▉        ▏  1.26 GiB of 3.00 GiB  112 MiB/s  0:16 left  3 peers  TCP direct")
        #expect(!self.line(84).contains("1.26 GiB of"))
        #expect(self.line(84).contains("3 peers"))
        #expect(!self.line(64).contains("peers"))
        #expect(self.line(64).contains("▕"))
        #expect(!self.line(52).contains("▕"))
        #expect(self.line(52).contains("0:16 left"))
        #expect(!self.line(46).contains("left"))
        #expect(self.line(46).contains("112 MiB/s"))
        for columns in 32...140 { #expect(self.line(columns).contains("TCP direct"), "\(columns)") }
        #expect(self.line(20).contains("41%"))
    }

    @Test(
        "80 columns have room for how the bytes travel, or what is waited for, beside rate and time left",
        arguments: ["TCP through the NAT", "TCP through a mapped port", "WebSocket on this network", "waiting for a holder", "relayed"])
    func words(words: String) {
        let long = ProgressSnapshot(.receiving, name: "holiday-pictures.tar.gz", byteCount: 1_352_663_040, total: 3_221_225_472, peers: 12, path: words)
        let line = ProgressLine.bar(long, rate: 1_072_693_248, timeLeft: .seconds(35_999), terminal: Terminal(isInteractive: true, columns: 80))
        #expect(line.hasSuffix("  \(words)"))
        #expect(line.contains("1023 MiB/s") && line.contains("9:59:59 left"))
    }

    @Test("never reaches the last column", arguments: 20...200)
    func fits(columns: Int) {
        #expect(TerminalText.width(of: self.line(columns)) < columns)
        #expect(TerminalText.width(of: self.line(columns, unicode: false)) < columns)
        let wideName = ProgressSnapshot(.receiving, name: "漢字漢字漢字漢字漢字", byteCount: 0, total: 0, note: "waiting for a holder")
        let line = ProgressLine.bar(wideName, rate: nil, timeLeft: nil, terminal: Terminal(isInteractive: true, columns: columns))
        #expect(TerminalText.width(of: line) < columns)
        #expect(line.contains("100%"))
    }

    @Test("uses ASCII where the locale is not UTF-8")
    func ascii() {
        #expect(self.line(140, unicode: false).contains("[################                        ]"))
        #expect(self.line(60, unicode: false).utf8.allSatisfy { $0 < 0x80 })
    }

    @Test("says 100 % only when complete")
    func rounding() {
        #expect(ProgressSnapshot(.receiving, name: "x", byteCount: 999_999, total: 1_000_000).percent == 99)
        #expect(ProgressSnapshot(.receiving, name: "x", byteCount: 1_000_000, total: 1_000_000).percent == 100)
    }

    @Test("is a sentence in a log, and an event for programs")
    func plainAndEvent() {
        #expect(
            ProgressLine.plain(self.snapshot, rate: 117_440_512, timeLeft: .seconds(16))
                == "holiday-pictures.tar.gz: 41 %, 1.26 GiB of 3.00 GiB, 112 MiB/s, 0:16 left, 3 peers, TCP direct")
        #expect(
            ProgressLine.plain(ProgressSnapshot(.sharing, name: "a\u{1B}b", byteCount: 2048, peers: 1), rate: nil, timeLeft: nil)
                == "sharing a\\u{1b}b: 2.00 KiB sent, 1 peer")
        #expect(
            ProgressLine.event(self.snapshot, rate: 1000.4, timeLeft: .milliseconds(1234)).text
                == #"{"event":"progress","activity":"receiving","name":"holiday-pictures.tar.gz","bytes":1352663040,"total":3221225472,"fraction":0.4199,"bytesPerSecond":1000,"etaSeconds":1.2,"peers":3,"path":"TCP direct","note":null}"#
        )
    }
}
