# cmake -DOUT=FILE.c -DFILES="page.css;page.js" -P embed.cmake: PAGE_FILES[] of hamon/web/page.h, in that
# order. The mark is of the content: asked for by that, what a browser has kept is never out of step.
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(data "")
set(rows "")
set(n 0)
foreach(file ${FILES})
        file(READ "${file}" hex HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
        file(MD5 "${file}" mark)
        string(SUBSTRING ${mark} 0 8 mark)
        get_filename_component(name "${file}" NAME_WE)
        get_filename_component(ext "${file}" LAST_EXT)
        string(SUBSTRING ${ext} 1 -1 ext)
        string(APPEND data "static const unsigned char DATA_${n}[] = {${bytes}};\n")
        string(APPEND rows
                "        { \"/${name}.${ext}\", \"${mark}\", \"${types_${ext}}\", DATA_${n}, sizeof DATA_${n} },\n")
        math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made by cmake/embed.cmake. */\n#include \"hamon/web/page.h\"\n\n${data}
const struct page_file PAGE_FILES[PAGE_FILES_] = {\n${rows}};\n")
