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

    @Test("drops the path, the byte counts, the peers, the bar, the time left as the terminal narrows")
    func narrows() {
        #expect(self.line(100) == "holiday-….gz  41% ▕█████▉        ▏  1.26 GiB of 3.00 GiB  112 MiB/s  0:16 left  3 peers  TCP direct")
        #expect(self.line(84).contains("1.26 GiB of"))
        #expect(!self.line(84).contains("TCP direct"))
        #expect(self.line(64).contains("3 peers"))
        #expect(!self.line(64).contains("1.26 GiB"))
        #expect(self.line(52).contains("▕"))
        #expect(!self.line(52).contains("peers"))
        #expect(!self.line(40).contains("▕"))
        #expect(self.line(40).contains("0:16 left"))
        #expect(self.line(20).contains("41%"))
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
