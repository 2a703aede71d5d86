import DIGCommandLine
import Testing

@Suite("Durations")
struct DurationTextTests {
    @Test(
        "are shown as a clock",
        arguments: [
            (.zero, "0:00"), (.milliseconds(1), "0:01"), (.seconds(7), "0:07"), (.milliseconds(59_001), "1:00"), (.seconds(754), "12:34"),
            (.seconds(3723), "1:02:03"), (.seconds(86_399), "23:59:59"), (.seconds(3 * 86_400 + 4 * 3600), "3 d 4 h"),
            (.seconds(99 * 86_400), "99 d 0 h"), (.seconds(100 * 86_400), "> 99 d"), (.seconds(-5), "0:00"),
        ] as [(Duration, String)])
    func clock(duration: Duration, text: String) {
        #expect(DurationText.clock(duration) == text)
    }

    @Test("are shown with a tenth when something took less than a minute")
    func elapsed() {
        #expect(DurationText.elapsed(.milliseconds(440)) == "0.4 s")
        #expect(DurationText.elapsed(.milliseconds(12_300)) == "12.3 s")
        #expect(DurationText.elapsed(.milliseconds(59_960)) == "1:00")
    }

    @Test("a duration is read with its unit; without one it is seconds")
    func parse() {
        #expect(DurationText.parse("10") == .seconds(10))
        #expect(DurationText.parse("1.5s") == .milliseconds(1500))
        #expect(DurationText.parse("500 ms") == .milliseconds(500))
        #expect(DurationText.parse("2m") == .seconds(120))
        #expect(DurationText.parse("1H") == .seconds(3600))
        #expect(DurationText.parse("7d") == .seconds(604_800))
        #expect(DurationText.parse("2w") == .seconds(1_209_600))
        #expect(DurationText.parse("0") == .zero)
        for text in ["", "s", "-1", "1y", "367d", "1.2.3", "1e3", "ten", "999999h", "1 2x"] { #expect(DurationText.parse(text) == nil, "\(text)") }
    }

    @Test("how long somebody took to answer has hundredths")
    func latency() {
        #expect(DurationText.latency(.milliseconds(421)) == "0.42 s")
        #expect(DurationText.latency(.milliseconds(9_990)) == "9.99 s")
        #expect(DurationText.latency(.milliseconds(12_340)) == "12.3 s")
        #expect(DurationText.latency(.seconds(61)) == "1:01")
    }
}
