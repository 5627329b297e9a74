<?php
/* The picture of a usual captcha in PHP, with GD: six letters of a TrueType font, each turned and in a colour of its
 * own, lines, arcs, 400 dots, then all of it bent by two waves (bilinear), as a JPEG. What is typed would be kept in a
 * session; drawing is what is measured here. */
declare(strict_types=1);

const WIDTH = 200, HEIGHT = 70, LETTERS = 6, LINES = 5, ARCS = 4, DOTS = 400, QUALITY = 75;
const ALPHABET = 'ACDEFHJKLMNPRTUWXY347';
const FONTS = [
    '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf',
    '/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf',
    '/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf',
    '/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf',
    '/usr/share/fonts/truetype/dejavu/DejaVuSerif-Bold.ttf',
];

function dark(GdImage $image): int
{
    return imagecolorallocate($image, random_int(0, 110), random_int(0, 110), random_int(0, 110));
}

function letters(GdImage $image): void
{
    for ($i = 0; $i < LETTERS; $i++) {
        $letter = ALPHABET[random_int(0, strlen(ALPHABET) - 1)];
        $font = FONTS[random_int(0, count(FONTS) - 1)];
        imagettftext($image, random_int(24, 32), random_int(-28, 28), 14 + $i * 30, random_int(44, 54), dark($image),
            $font, $letter);
    }
}

function strokes(GdImage $image): void
{
    imagesetthickness($image, 2);
    for ($i = 0; $i < LINES; $i++)
        imageline($image, random_int(0, 60), random_int(0, HEIGHT), random_int(140, WIDTH), random_int(0, HEIGHT),
            dark($image));
    for ($i = 0; $i < ARCS; $i++)
        imagearc($image, random_int(0, WIDTH), random_int(0, HEIGHT), random_int(40, WIDTH), random_int(20, HEIGHT),
            random_int(0, 180), random_int(181, 360), dark($image));
    for ($i = 0; $i < DOTS; $i++)
        imagesetpixel($image, random_int(0, WIDTH - 1), random_int(0, HEIGHT - 1), dark($image));
}

/* Each pixel of the new picture from a point between four of the old one. */
function bend(GdImage $from): GdImage
{
    $to = imagecreatetruecolor(WIDTH, HEIGHT);
    $white = imagecolorallocate($to, 255, 255, 255);
    $a = random_int(30, 50) / 10;
    $b = random_int(20, 40) / 10;
    $phase = random_int(0, 628) / 100;
    $turn = random_int(0, 628) / 100;
    $down = [];
    for ($x = 0; $x < WIDTH; $x++)
        $down[$x] = $a * sin($x / 19 + $phase);
    for ($y = 0; $y < HEIGHT; $y++) {
        $shift = $b * sin($y / 13 + $turn);
        for ($x = 0; $x < WIDTH; $x++) {
            $u = $x + $shift;
            $v = $y + $down[$x];
            $i = (int)floor($u);
            $j = (int)floor($v);
            if ($i < 0 || $j < 0 || $i >= WIDTH - 1 || $j >= HEIGHT - 1) {
                imagesetpixel($to, $x, $y, $white);
                continue;
            }
            $fu = $u - $i;
            $fv = $v - $j;
            $p = imagecolorat($from, $i, $j);
            $q = imagecolorat($from, $i + 1, $j);
            $r = imagecolorat($from, $i, $j + 1);
            $s = imagecolorat($from, $i + 1, $j + 1);
            if ($p === $q && $q === $r && $r === $s) { /* mostly ground */
                imagesetpixel($to, $x, $y, $p);
                continue;
            }
            $wp = (1 - $fu) * (1 - $fv);
            $wq = $fu * (1 - $fv);
            $wr = (1 - $fu) * $fv;
            $ws = $fu * $fv;
            $red = (int)(($p >> 16 & 255) * $wp + ($q >> 16 & 255) * $wq + ($r >> 16 & 255) * $wr
                + ($s >> 16 & 255) * $ws);
            $green = (int)(($p >> 8 & 255) * $wp + ($q >> 8 & 255) * $wq + ($r >> 8 & 255) * $wr
                + ($s >> 8 & 255) * $ws);
            $blue = (int)(($p & 255) * $wp + ($q & 255) * $wq + ($r & 255) * $wr + ($s & 255) * $ws);
            imagesetpixel($to, $x, $y, $red << 16 | $green << 8 | $blue);
        }
    }
    return $to;
}

function captcha(): string
{
    $image = imagecreatetruecolor(WIDTH, HEIGHT);
    imagefill($image, 0, 0, imagecolorallocate($image, 255, 255, 255));
    letters($image);
    strokes($image);
    $bent = bend($image);
    ob_start();
    imagejpeg($bent, null, QUALITY);
    return (string)ob_get_clean();
}

if (PHP_SAPI === 'cli') { /* captcha.php COUNT: microseconds of processor time for each, bytes of each */
    for ($i = 0; $i < (int)$argv[1]; $i++) {
        $start = getrusage();
        $size = strlen(captcha());
        $end = getrusage();
        $used = 0;
        foreach (['ru_utime', 'ru_stime'] as $kind)
            $used += ($end["$kind.tv_sec"] - $start["$kind.tv_sec"]) * 1000000
                + $end["$kind.tv_usec"] - $start["$kind.tv_usec"];
        echo "$used $size\n";
    }
    exit;
}
header('Content-Type: image/jpeg');
header('Cache-Control: no-store');
echo captcha();
